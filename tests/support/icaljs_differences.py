"""Where ``ical.js`` differs from what is loaded, and what RFC 5545 says of each kind."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from tests.support.calendar_oracle import local
from tests.support.icaljs_oracle import Occurrence
from tests.support.random_calendars import OFFICE, RandomCalendar


@dataclass(frozen=True, slots=True)
class Kind:
    """A known difference: what ical.js does, and the words of RFC 5545 that say who is right."""

    name: str
    icaljs: str
    section: str
    words: str
    right: str
    #: Of rules: events with such an RRULE are not compared. Of times: empty, the instant is put right.
    rule: str = ""


#: Every known kind. What none of them explains is a difference.
KINDS = (
    Kind(
        "time in a gap",
        "counts it with the offset after the gap",
        "3.3.5",
        "If the local time described does not occur (when changing from standard to daylight time), the "
        "DATE-TIME value is interpreted using the UTC offset before the gap in local times.",
        "ours",
    ),
    Kind(
        "time that occurs twice",
        "takes the second one",
        "3.3.5",
        "If, based on the definition of the referenced time zone, the local time described occurs more than "
        "once (when changing from daylight to standard time), the DATE-TIME value refers to the first "
        "occurrence of the referenced time.",
        "ours",
    ),
    Kind(
        "nth weekday of the year",
        "takes every such weekday once DTSTART has passed",
        "3.3.10",
        "Each BYDAY value can also be preceded by a positive (+n) or negative (-n) integer. If present, this "
        'indicates the nth occurrence of a specific day within the MONTHLY or YEARLY "RRULE".',
        "ours",
        r"FREQ=YEARLY;BYDAY=-?\d+[A-Z]{2}",
    ),
    Kind(
        "BYWEEKNO",
        "takes the weekday in every week",
        "3.3.10",
        "The BYWEEKNO rule part specifies a COMMA-separated list of ordinals specifying weeks of the year.",
        "ours",
        r"FREQ=YEARLY;BYWEEKNO=[\d,]+;BYDAY=[A-Z]{2}",
    ),
)
_GAP, _TWICE = KINDS[:2]


def unexplained(
    calendar: RandomCalendar,
    loaded: Iterable[tuple[str, str]],
    theirs: Iterable[Occurrence],
    seen: Counter[str],
) -> str | None:
    """What no kind explains, ``None`` if nothing; ``loaded`` as :func:`loaded_occurrences` gives it.

    ``seen`` counts the kinds that were met: occurrences of times, events of rules.
    """
    apart = _not_compared(calendar, seen)
    ours = Counter(one for one in loaded if one[0] not in apart)
    expected: Counter[tuple[str, str]] = Counter()
    for one in theirs:
        right = one if one.uid in apart else _put_right(one, seen)
        if right.uid not in apart and calendar.first <= _day(right, calendar.zone) < calendar.last:
            expected[right.uid, right.instant] += 1
    more, less = sorted((ours - expected).elements())[:3], sorted((expected - ours).elements())[:3]
    if not more and not less:
        return None
    return f"seed {calendar.seed}: only loaded {more}, only in ical.js {less}"


def _not_compared(calendar: RandomCalendar, seen: Counter[str]) -> set[str]:
    """UIDs of the series whose rule ical.js is known to read wrong."""
    found = set()
    for event in calendar.text.split("BEGIN:VEVENT")[1:]:
        uid, rule = (re.search(rf"^{name}:(.*)$", event, re.MULTILINE) for name in ("UID", "RRULE"))
        for kind in KINDS:
            if uid and rule and kind.rule and re.fullmatch(kind.rule, rule[1]):
                found.add(uid[1])
                seen[kind.name] += 1
    return found


def _put_right(one: Occurrence, seen: Counter[str]) -> Occurrence:
    """The same with the instant of 3.3.5, if ical.js takes the other side of a change of the clock."""
    if one.zone in ("date", "UTC"):
        return one
    zone = ZoneInfo(OFFICE if one.zone == "Office" else one.zone)
    first, second = (datetime.fromisoformat(one.start).replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    before, after = first.utcoffset(), second.utcoffset()
    if before is None or after is None or before == after or one.instant != _instant(second):
        return one
    seen[(_GAP if after > before else _TWICE).name] += 1
    return replace(one, instant=_instant(first))


def _instant(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M}"


def _day(one: Occurrence, zone: str) -> date:
    if one.zone == "date":
        return date.fromisoformat(one.instant)
    return local(datetime.fromisoformat(one.instant).replace(tzinfo=UTC), ZoneInfo(zone))

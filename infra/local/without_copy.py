"""Which source events may rightly have no copy of their own, judged event by event.

Our API must say why (:mod:`infra.local.told_reasons`), and the calendars must confirm it. If a rule could not
have done that to the event, the API's reason does not count.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from infra.local.told_reasons import Reason

type Json = dict[str, Any]

_MODIFICATIONS = {"extended", "extension", "early start", "started early", "late start", "started late"}
_SHORTENED = re.compile(r"\bshortened\b", re.IGNORECASE)
_VALID = re.compile(
    r"\S\s+[-\u2013\u2014]\s+(non-)?billable$|^(non-)?billable\s+[-\u2013\u2014]\s+\S", re.IGNORECASE
)
#: How far a modification may lie from its meeting (domain.md 4.1).
_BESIDE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the calendars hold, and what our API says of the source events."""

    #: Source events by every key that a map may know them by.
    by_key: Mapping[str, Json]
    source: Collection[Json]
    #: Events of the archive calendar, with ``start`` and ``end`` as the source's.
    archive: Collection[Json]
    #: By source key.
    reasons: Mapping[str, Reason]


def missing(
    uncovered: Mapping[str, Json],
    covered: Iterable[Json],
    around: Surroundings,
    configuration: Mapping[str, Any],
) -> list[Json]:
    """The events that should have a copy and have none; of exact duplicates one (domain.md 2.9).

    ``uncovered`` are those without a copy by the key that our API calls them by, ``covered`` those with one.
    """
    settled = {content(event) for event in covered}
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for key, event in uncovered.items():
        if content(event) not in settled:
            alike[content(event)].append(key)
    lost = []
    for keys in alike.values():
        own = [key for key in keys if _kind(around, key) != "merge"]
        unexcused = [key for key in own if not may_lack_a_copy(key, around, configuration)]
        if unexcused or not own:
            lost.append(uncovered[(unexcused or keys)[0]])
    return lost


def may_lack_a_copy(key: str, around: Surroundings, configuration: Mapping[str, Any]) -> bool:
    """Whether a reason is given for the event, and the calendars bear it out (domain.md 2.13)."""
    event = around.by_key[key]
    match _kind(around, key):
        case "consume":
            return _is_modification(event)
        case "leave_out":
            untaken = configuration.get("purpose") == "timesheet" and not _timesheet_takes(event)
            return untaken or _meets_any(event, _others(event, around))
        case "flag":
            # It waits for an overlap to be resolved, or may be the meeting of another copy (2.16).
            return _meets_any(event, _others(event, around)) or _resembles_any(event, around.archive)
        case "locked" | "failed" | "kept":
            return True
    return False


def content(event: Json) -> str:
    """What makes two events exact duplicates: equal for those that are (domain.md 2.9)."""
    organizer = (event.get("organizer") or {}).get("emailAddress") or {}
    response = (event.get("responseStatus") or {}).get("response")
    body = event["body"]
    return repr(
        [
            *(event["subject"], event["start"], event["end"], event["isAllDay"]),
            *(bool(event.get("isCancelled")), response == "declined"),
            str(organizer.get("address") or "").casefold(),
            sorted(str(category).casefold() for category in event.get("categories") or []),
            *(body["contentType"], body["content"].replace("\r\n", "\n")),
        ]
    )


def _kind(around: Surroundings, key: str) -> str | None:
    reason = around.reasons.get(key)
    return reason.kind if reason else None


def _others(event: Json, around: Surroundings) -> Iterable[Json]:
    return (other for other in around.source if other["id"] != event["id"])


def _is_modification(event: Json) -> bool:
    subject = " ".join(str(event["subject"]).casefold().split())
    return subject in _MODIFICATIONS or _SHORTENED.search(subject) is not None


def _timesheet_takes(event: Json) -> bool:
    # What counts as travel is a setting of the tenant: only billing is judged.
    if event.get("showAs") == "free":
        return False
    return any(_VALID.search(str(category).strip()) for category in event.get("categories") or [])


def _meets_any(event: Json, others: Iterable[Json]) -> bool:
    return any(_meet(event, other) for other in others)


def _meet(event: Json, other: Json) -> bool:
    # A meeting beside a modification counts as overlapping: its times after it are not known here.
    near = _BESIDE if _is_modification(other) else timedelta(0)
    (start, end), (other_start, other_end) = _span(event), _span(other)
    if near:
        return other_start - near <= end and start <= other_end + near
    return max(start, other_start) < min(end, other_end)


def _resembles_any(event: Json, archive: Iterable[Json]) -> bool:
    day, subject = event["start"]["dateTime"][:10], str(event["subject"]).strip().casefold()
    return any(
        _meet(event, copy)
        or (copy["start"]["dateTime"][:10] == day and str(copy["subject"]).strip().casefold() == subject)
        for copy in archive
    )


def _span(event: Json) -> tuple[datetime, datetime]:
    return _instant(event["start"]["dateTime"]), _instant(event["end"]["dateTime"])


@cache
def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text[:26]).replace(tzinfo=UTC)

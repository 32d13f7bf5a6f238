"""The rules of domain.md 2 to 6, told once more, slowly and from the text: what the oracle expects.

Nothing here is shared with the product: events are Graph's JSON, every search looks at everything.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import replace
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

type Json = dict[str, Any]

_TRAVEL = (
    *("travel", "travelling", "drive", "driving", "flight", "flying"),
    *("commute", "commuting", "transit", "journey", "trip", "airport"),
)
_MARGIN = timedelta(minutes=5)
_MINUTE = timedelta(minutes=1)
# What one run sees of both: the margins of a plan are a day (domain.md 4.8).
_FARTHEST = timedelta(hours=23)
_RANK = {"low": 0, "normal": 1, "high": 2}


@dataclass(frozen=True, slots=True)
class Policies:
    """What the configuration of a world wants."""

    purpose: str = "general"
    overlaps: str = "keep_all"
    all_day_counts: bool = False
    privacy: bool = False
    out_of_office: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """An event as far as the rules look at it; times are instants, of an all-day event of its local days."""

    key: str
    item: Json
    start: datetime
    end: datetime
    source_start: datetime
    applied: tuple[tuple[str, datetime, datetime], ...] = ()

    @property
    def takes_place(self) -> bool:
        """Neither cancelled nor declined (domain.md 2.1)."""
        response = (self.item.get("responseStatus") or {}).get("response")
        return not self.item["isCancelled"] and response != "declined"

    @property
    def timed(self) -> bool:
        """Takes place at a time of day, so that a modification can be about it."""
        return self.takes_place and not self.item["isAllDay"]


@dataclass(slots=True)
class Expected:
    """What the rules make of a window."""

    archived: dict[str, Told] = field(default_factory=dict)
    consumed: dict[str, str] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    flagged: set[str] = field(default_factory=set)
    #: What a decision of the owner leaves out, also if it has a copy.
    dropped: set[str] = field(default_factory=set)
    #: Components of overlapping events, by key.
    groups: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Settled:
    """A decision about a group: the events as they were, and which of them it keeps."""

    members: Mapping[str, str]
    kept: Collection[str]

    def under(self, keys: Mapping[str, str]) -> "Settled":
        """The decision with other keys of its events. Keys that are not given stay."""
        members = {keys.get(key, key): revision for key, revision in self.members.items()}
        return Settled(members, {keys.get(key, key) for key in self.kept})


def expect(
    told: Iterable[Told],
    policies: Policies,
    archived: Collection[str],
    removed: Collection[str],
    settled: Sequence[Settled],
    revisions: Any,
) -> Expected:
    """Apply the rules to events that are no duplicates of each other.

    ``archived``: keys that have a copy, ``removed``: those whose copy the owner deleted, ``revisions``: how a
    decision names an event as it was.
    """
    found = Expected()
    meetings = modified(list(told), found)
    candidates = []
    for event in meetings:
        if event.key in removed:
            continue
        if event.key not in archived and unwanted(event, policies):
            found.left_out.add(event.key)
        else:
            candidates.append(event)
    counted = [event for event in candidates if counts(event, policies) and not unwanted(event, policies)]
    counted = [event for event in counted if not private_journey(event, policies)]
    alone = {event.key for event in candidates}
    for component in components(counted):
        keys = [event.key for event in component]
        found.groups.append(keys)
        decided = _decided(component, settled, revisions)
        found.dropped |= {key for key, verdict in (decided or {}).items() if verdict == "dropped"}
        verdicts = decided or _ruled(component, policies, archived)
        for key, verdict in verdicts.items():
            if key in archived or verdict == "kept":
                continue
            alone.discard(key)
            (found.flagged if verdict == "flagged" else found.left_out).add(key)
    found.archived = {event.key: event for event in candidates if event.key in alone}
    return found


def modified(events: list[Told], found: Expected) -> list[Told]:
    """Meetings after their modifications; orphans are meetings like others (domain.md 4)."""
    modifications = [event for event in events if event.timed and modifies(event.item["subject"])]
    others = {event.key: event for event in events if event not in modifications}
    orphans = []
    for change in sorted(modifications, key=lambda event: (event.start, event.end, event.key)):
        fits = [
            (distance, after)
            for meeting in others.values()
            if meeting.timed and (fit := _fit(meeting, change)) is not None
            for distance, after in (fit,)
        ]
        nearest = [after for distance, after in fits if distance == min(distance for distance, _ in fits)]
        if len(nearest) == 1:
            found.consumed[change.key] = nearest[0].key
            others[nearest[0].key] = nearest[0]
        else:
            orphans.append(change)
    return [*others.values(), *orphans]


def modifies(subject: str) -> str | None:
    """What an entry of this subject says of the meeting beside it."""
    words = " ".join(subject.lower().split())
    if words in ("extended", "extension"):
        return "extended"
    if words in ("early start", "started early"):
        return "early"
    if words in ("late start", "started late"):
        return "late"
    return "shortened" if re.search(r"\bshortened\b", words) else None


def _fit(meeting: Told, change: Told) -> tuple[timedelta, Told] | None:
    """How far the entry is from the edge it is about, and the meeting after it."""
    too_long = change.end - change.start >= _FARTHEST
    if too_long or abs(change.start - meeting.source_start) >= _FARTHEST:
        return None
    theirs, ours = valid_categories(meeting.item), valid_categories(change.item)
    if theirs and ours and not theirs & ours:
        return None
    start, end, kind = meeting.start, meeting.end, modifies(change.item["subject"])
    if kind == "extended":
        distance, near = abs(change.start - end), abs(change.start - end) <= _MARGIN
        end = change.end
    elif kind == "shortened":
        distance = min(abs(end - change.start), abs(change.end - end))
        near = change.start <= end <= change.end
        end = max(change.start, start + _MINUTE)
    elif kind == "early":
        distance = abs(change.end - start)
        near = distance <= _MARGIN or change.start <= start <= change.end
        start = change.start
    else:
        distance, near = abs(change.start - start), abs(change.start - start) <= _MARGIN
        start = min(change.end, end - _MINUTE)
    cuts = kind in ("shortened", "late") and meeting.end - meeting.start < _MINUTE
    if not near or cuts or end <= start:
        return None
    applied = (*meeting.applied, (change.key, change.start, change.end))
    return distance, replace(meeting, start=start, end=end, applied=applied)


def valid_categories(item: Json) -> set[tuple[str, str]]:
    """Customer and billing type of each valid category (domain.md 3.1)."""
    found = set()
    for text in item["categories"]:
        parts = re.split(r" [-–—] ", f" {text} ")
        if len(parts) < 2:
            continue
        first, last = parts[0].strip().lower(), parts[-1].strip().lower()
        billing, customer = (
            (last, " - ".join(parts[:-1])) if _is_billing(last) else (first, " - ".join(parts[1:]))
        )
        if _is_billing(billing) and customer.strip(" -"):
            found.add((customer.strip().lower(), billing))
    return found


def _is_billing(text: str) -> bool:
    return text in ("billable", "non-billable")


def is_personal(item: Json) -> bool:
    """No category, or none but ``Online`` (domain.md 3.2, 3.3)."""
    return all(text.strip().lower() in ("", "online") for text in item["categories"])


def is_travel(item: Json) -> bool:
    """A travel word as a whole word in subject or category (domain.md 2.7)."""
    words = re.findall(r"\w+", " ".join([item["subject"], *item["categories"]]).lower())
    return any(word in _TRAVEL for word in words)


def unwanted(event: Told, policies: Policies) -> bool:
    """Whether the purpose leaves an event out (domain.md 2.7)."""
    return unwanted_item(event.item, policies)


def unwanted_item(item: Json, policies: Policies) -> bool:
    """As ``unwanted``, of an event in Graph's JSON."""
    if policies.purpose == "general":
        return False
    return item["showAs"] == "free" or not (is_travel(item) or valid_categories(item))


def private_journey(event: Told, policies: Policies) -> bool:
    """Whether a timesheet takes a private event for its travel word alone (domain.md 5.1, 6.3)."""
    private = event.item["sensitivity"] != "normal"
    return policies.purpose != "general" and private and not valid_categories(event.item)


def shown(event: Told, policies: Policies) -> Json:
    """Sensitivity and ``showAs`` of the copy (domain.md 6)."""
    item = event.item
    private = policies.privacy and (is_personal(item) or is_travel(item))
    away = policies.out_of_office and event.takes_place and item["showAs"] != "free"
    return {
        "sensitivity": "private" if private else item["sensitivity"],
        "showAs": "oof" if away else item["showAs"],
    }


def counts(event: Told, policies: Policies) -> bool:
    """Whether an event can overlap anything (domain.md 5.1)."""
    if event.end <= event.start or not event.takes_place:
        return False
    if event.item["isAllDay"]:
        return policies.all_day_counts and event.item["showAs"] in ("busy", "oof", "unknown")
    return True


def components(events: Sequence[Told]) -> list[list[Told]]:
    """Events that hang together, directly or by others, in groups of two and more (domain.md 5.2)."""
    groups: list[list[Told]] = []
    for event in events:
        touched = [group for group in groups if any(overlap(event, other) for other in group)]
        groups = [group for group in groups if group not in touched]
        groups.append([event, *(other for group in touched for other in group)])
    return [group for group in groups if len(group) > 1]


def overlap(one: Told, other: Told) -> bool:
    """Whether both share an instant."""
    return one.start < other.end and other.start < one.end


def _decided(component: Sequence[Told], settled: Sequence[Settled], revisions: Any) -> dict[str, str] | None:
    """What a decision says of exactly these events as they are (domain.md 5.9)."""
    now = {event.key: revisions(event) for event in component}
    for decision in settled:
        if dict(decision.members) == now:
            return {key: "kept" if key in decision.kept else "dropped" for key in now}
    return None


def _ruled(component: Sequence[Told], policies: Policies, archived: Collection[str]) -> dict[str, str]:
    """What the policy says of a group nobody decided (domain.md 5.3, 5.4)."""
    if policies.overlaps == "keep_all":
        return {event.key: "kept" for event in component}
    if policies.overlaps == "flag":
        return {event.key: "flagged" for event in component}
    verdicts: dict[str, str] = {}
    groups = [list(component)]
    while groups:
        group = groups.pop()
        dropped = _dropped(group, archived)
        if not dropped:
            verdicts |= {event.key: "flagged" for event in group}
            continue
        verdicts |= dict.fromkeys(dropped, "dropped")
        rest = [event for event in group if event.key not in dropped]
        following = components(rest)
        together = {event.key for part in following for event in part}
        verdicts |= {event.key: "kept" for event in rest if event.key not in together}
        groups += following
    return verdicts


def _dropped(group: Sequence[Told], archived: Collection[str]) -> set[str]:
    """What the first rule that applies drops; what is archived is never dropped (domain.md 5.4, 5.9)."""
    free = [event for event in group if event.item["showAs"] == "free"]
    taken = [event for event in group if event.item["showAs"] != "free"]
    firm = [
        event for event in group if event.item["showAs"] in ("busy", "oof", "workingElsewhere", "unknown")
    ]
    tentative = [event for event in group if event.item["showAs"] == "tentative"]
    for weak, strong in ((free, taken or free), (tentative, firm)):
        beaten = {event.key for event in weak if any(o is not event and overlap(event, o) for o in strong)}
        if beaten:
            return beaten - set(archived)
    highest = max(_RANK[event.item["importance"]] for event in group)
    best = [event for event in group if _RANK[event.item["importance"]] == highest]
    if len(best) != 1:
        return set()
    beaten = {event.key for event in group if event is not best[0] and overlap(event, best[0])}
    return set() if beaten & set(archived) else beaten


def told(item: Json, key: str, zone: ZoneInfo) -> Told:
    """An event of a snapshot."""
    start, end = (_instant(item, name, zone) for name in ("start", "end"))
    return Told(key, item, start, end, start)


def _instant(item: Json, name: str, zone: ZoneInfo) -> datetime:
    moment = datetime.fromisoformat(item[name]["dateTime"])
    return day_start(moment, zone) if item["isAllDay"] else moment.replace(tzinfo=UTC)


def day_start(moment: datetime, zone: ZoneInfo) -> datetime:
    """The first instant of a date in a zone; some days begin later than at midnight."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for minutes in range(0, 24 * 60, 30):
        local = (midnight + timedelta(minutes=minutes)).replace(tzinfo=zone)
        instant = local.astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
            return instant
    return midnight.replace(tzinfo=UTC)

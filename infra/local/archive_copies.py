"""What stands in an archive calendar: which source event each copy is of, told by the copy alone.

The properties of a copy are those of domain.md 2.6; two copies of one source are judged by 2.19.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Copy:
    """One event of an archive calendar with what it says of its source; empty where it says nothing."""

    subject: str
    #: The first 19 characters of an instant, UTC.
    start: str
    end: str
    archive_key: str = ""
    configuration: str = ""
    source: str = ""
    ical_uid: str = ""
    original_start: datetime | None = None
    #: Replaced by another copy; it counts no time (domain.md 2.16).
    superseded: bool = False

    def original_date(self, zone: ZoneInfo) -> date | None:
        """Date of the original start, on which a series knows the occurrence (domain.md 2.3)."""
        return self.original_start.astimezone(zone).date() if self.original_start else None

    @property
    def is_ours(self) -> bool:
        """Whether an archive run wrote it."""
        return bool(self.archive_key or self.source)


@dataclass(frozen=True, slots=True)
class NamedEvent:
    """An event by what a person knows it by, and how many copies it has; times are UTC, without a zone."""

    subject: str
    start: str
    end: str
    copies: int

    def as_json(self) -> Json:
        """For programs."""
        times = {"start": f"{self.start}Z", "end": f"{self.end}Z"}
        return {"subject": self.subject, **times, "copies": self.copies}


def copy_of(event: Json) -> Copy:
    """A copy from the simulator's raw form of an event of an archive calendar."""
    told = _told_source(property_of(event, "ArchiveSource"))
    return Copy(
        subject=str(event["subject"]),
        start=event["start"]["dateTime"][:19],
        end=event["end"]["dateTime"][:19],
        archive_key=property_of(event, "ArchiveKey") or "",
        configuration=str(told.get("configuration") or ""),
        source=str(told.get("source") or ""),
        ical_uid=str(told.get("iCalUId") or ""),
        original_start=_instant(told.get("originalStart")),
        superseded=bool(told.get("superseded")),
    )


def doubled(copies: Iterable[Copy], zone: ZoneInfo) -> tuple[NamedEvent, ...]:
    """Events that exist more than once in the calendar, written by anyone, by start.

    Copies are of the same event when they name the same source id and original date (domain.md 2.19), or
    carry the same ``ArchiveKey``. A source id belongs to one mailbox, so the mailbox need not be compared. An
    event without our properties is a second copy when it has subject and times of one of ours. Stricter than
    2.19: all-day and ``free`` copies must not be doubled either (2.3).
    """
    counting = [copy for copy in copies if not copy.superseded]
    groups = _Groups()
    for number, copy in enumerate(counting):
        if copy.archive_key:
            groups.join(number, ("key", copy.archive_key))
        if copy.source:
            groups.join(number, ("source", copy.source, copy.original_date(zone)))
    times = {(copy.subject, copy.start, copy.end): n for n, copy in enumerate(counting) if copy.is_ours}
    for number, copy in enumerate(counting):
        original = times.get((copy.subject, copy.start, copy.end))
        if not copy.is_ours and original is not None:
            groups.merge(original, number)
    found = [[counting[number] for number in members] for members in groups.of_several()]
    named = [NamedEvent(each[0].subject, each[0].start, each[0].end, len(each)) for each in found]
    return tuple(sorted(named, key=lambda event: (event.start, event.subject)))


def source_key_forms(event: Json, zone: ZoneInfo) -> tuple[str, ...]:
    """Every form in which a map may know a source event of the raw form (domain.md 2.3), newest first.

    An occurrence is known by its original date in its series' recurrence zone, or by its original start.
    """
    if not event.get("seriesMasterId"):
        return (f"s:{event['id']}",)
    original = datetime.fromisoformat(str(event["originalStart"])).astimezone(UTC)
    days = dict.fromkeys([original.astimezone(zone).date(), original.date()])
    named = [str(day) for day in days] + [f"{original:%Y-%m-%dT%H:%M:%SZ}"]
    return tuple(f"o:{event['seriesMasterId']}:{form}" for form in named)


def archive_key_of(configuration_id: str, key: str) -> str:
    """What a copy of that source carries as ``ArchiveKey`` (domain.md 2.6)."""
    return hashlib.sha256(f"{configuration_id}|{key}".encode()).hexdigest()


def property_of(event: Json, name: str) -> str | None:
    """Value of an extended property by the last word of its id."""
    for entry in event.get("singleValueExtendedProperties") or []:
        if str(entry["id"]).endswith(f" Name {name}"):
            return str(entry["value"])
    return None


class _Groups:
    """Numbers that belong together, by what they share."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}
        self._holder: dict[object, int] = {}

    def join(self, number: int, mark: object) -> None:
        self.merge(self._holder.setdefault(mark, number), number)

    def merge(self, one: int, other: int) -> None:
        self._parent[self._root(other)] = self._root(one)

    def of_several(self) -> list[list[int]]:
        members: defaultdict[int, list[int]] = defaultdict(list)
        for number in self._parent:
            members[self._root(number)].append(number)
        return [sorted(each) for each in members.values() if len(each) > 1]

    def _root(self, number: int) -> int:
        while (parent := self._parent.setdefault(number, number)) != number:
            number = parent
        return number


def _told_source(text: str | None) -> Json:
    try:
        told = json.loads(text or "{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _instant(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)

"""What the calendars of the simulator say about an archive, without asking our database.

Source keys and the extended properties of the copies are those of domain.md 2.3 and 2.6.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from infra.local.local_copies import attributed, read_copies
from infra.local.stack import Stack
from infra.local.without_copy import may_lack_a_copy

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Window:
    """The half-open interval ``[start, end)`` in a configuration's zone."""

    start: datetime
    end: datetime
    zone: ZoneInfo

    def owns(self, event: Json) -> bool:
        """Whether the event starts here; all-day events by their local date (domain.md 2.2)."""
        return self.start <= starts_at(event, self.zone) < self.end


@dataclass(frozen=True, slots=True)
class Comparison:
    """A source calendar against its archive."""

    #: Source events of the run's windows.
    source: int
    #: Source keys without a copy; of exact duplicates the first, and none where one of them has a copy.
    uncovered: frozenset[str]
    #: Those of them that no rule explains either: not a modification, billable, without an overlap.
    unexplained: frozenset[str]
    #: What has more than one copy: archive keys, or sources that have copies under several keys.
    doubled: frozenset[str]
    #: The source events of the windows, as the simulator gives them.
    events: tuple[Json, ...]


async def compare(
    stack: Stack, configuration: Json, windows: Collection[Window], archived: Window
) -> Comparison:
    """Read both calendars of a configuration back and compare them.

    ``windows`` are those of the runs just done, ``archived`` is what should be in the archive by now.
    """
    source = await _calendar(stack, configuration["source"])
    if configuration["archive"].startswith("local://"):
        found = await read_copies(stack, configuration, archived.start, archived.end)
        expected = [event for event in source if archived.owns(event)]
        copies = attributed(
            found, expected, lambda event: archive_key_of(configuration["id"], source_key(event))
        )
    else:
        copies = await _calendar(stack, configuration["archive"])
    return compare_events(configuration, source, copies, windows, archived)


def compare_events(
    configuration: Json,
    source: Iterable[Json],
    copies: Iterable[Json],
    windows: Collection[Window],
    archived: Window,
) -> Comparison:
    """The comparison itself, of events in the simulator's raw form."""
    configuration_id = configuration["id"]
    by_key = {source_key(event): event for event in source}
    copies = [copy for copy in copies if property_of(copy, "ArchiveKey")]
    archive_keys = Counter(property_of(copy, "ArchiveKey") for copy in copies)
    covered = {key for key in by_key if archive_key_of(configuration_id, key) in archive_keys}
    settled = {_content(by_key[key]) for key in covered}
    expected = {key for key, event in by_key.items() if archived.owns(event)}
    open_contents: dict[str, str] = {}
    for key in sorted(expected - covered):
        open_contents.setdefault(_content(by_key[key]), key)
    uncovered = {key for content, key in open_contents.items() if content not in settled}
    unexplained = {
        key for key in uncovered if not may_lack_a_copy(by_key[key], by_key.values(), configuration)
    }
    own = tuple(event for event in by_key.values() if any(window.owns(event) for window in windows))
    return Comparison(
        len(own), frozenset(uncovered), frozenset(unexplained), _doubled(copies, configuration_id), own
    )


def source_key(event: Json) -> str:
    """Key of a source event, from immutable ids (domain.md 2.3)."""
    if event.get("seriesMasterId"):
        original = datetime.fromisoformat(str(event["originalStart"])).astimezone(UTC)
        return f"o:{event['seriesMasterId']}:{original:%Y-%m-%dT%H:%M:%SZ}"
    return f"s:{event['id']}"


def archive_key_of(configuration_id: str, key: str) -> str:
    """What a copy of that source carries as ``ArchiveKey`` (domain.md 2.6)."""
    return hashlib.sha256(f"{configuration_id}|{key}".encode()).hexdigest()


def property_of(event: Json, name: str) -> str | None:
    """Value of an extended property by the last word of its id."""
    for entry in event.get("singleValueExtendedProperties") or []:
        if str(entry["id"]).endswith(f" Name {name}"):
            return str(entry["value"])
    return None


def starts_at(event: Json, zone: ZoneInfo) -> datetime:
    """Start of an event, UTC; of an all-day event the start of its date in ``zone``."""
    start = utc(event["start"])
    if event["isAllDay"]:
        return datetime.combine(start.date(), time.min, zone).astimezone(UTC)
    return start


def utc(moment: Json) -> datetime:
    """A ``dateTimeTimeZone`` of the raw form, which is always UTC."""
    return datetime.fromisoformat(moment["dateTime"][:26]).replace(tzinfo=UTC)


def _doubled(copies: Iterable[Json], configuration_id: str) -> frozenset[str]:
    keys = Counter(str(property_of(copy, "ArchiveKey")) for copy in copies)
    doubled = {key for key, number in keys.items() if number > 1}
    keys_of_source: defaultdict[str, set[str]] = defaultdict(set)
    for copy in copies:
        if told := _told_source(copy, configuration_id):
            keys_of_source[told].add(str(property_of(copy, "ArchiveKey")))
    several = {told for told, own in keys_of_source.items() if len(own) > 1}
    return frozenset(doubled | several)


def _told_source(copy: Json, configuration_id: str) -> str | None:
    told = property_of(copy, "ArchiveSource")
    if told is None:
        return None
    try:
        source = json.loads(told)
        if source["configuration"] != configuration_id:
            return None
        return f"{source['source']}|{source['originalStart']}"
    except (ValueError, KeyError, TypeError):
        return told


def _content(event: Json) -> str:
    # What makes an exact duplicate (domain.md 2.9).
    return json.dumps([event["subject"], event["start"], event["end"], event["isAllDay"], event["body"]])


async def _calendar(stack: Stack, reference: str) -> list[Json]:
    address, _, path = reference.removeprefix("msgraph://").partition("/")
    address = unquote(address)
    name = unquote(path.removeprefix("calendars/")) if path.startswith("calendars/") else None
    if name is None:
        mailboxes = (await stack.simulator("GET", "mailboxes"))["value"]
        mailbox = next(entry for entry in mailboxes if entry["address"].casefold() == address.casefold())
        name = next(entry["name"] for entry in mailbox["calendars"] if entry["is_default"])
    answer = await stack.simulator("GET", f"mailboxes/{address}/events", calendar=name)
    return list(answer["value"])

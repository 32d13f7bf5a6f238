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

from infra.local.stack import Stack

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
    #: Source keys without a copy that no exact duplicate explains.
    uncovered: frozenset[str]
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
    copies = await _calendar(stack, configuration["archive"])
    return compare_events(configuration["id"], source, copies, windows, archived)


def compare_events(
    configuration_id: str,
    source: Iterable[Json],
    copies: Iterable[Json],
    windows: Collection[Window],
    archived: Window,
) -> Comparison:
    """The comparison itself, of events in the simulator's raw form."""
    by_key = {source_key(event): event for event in source}
    copies = [copy for copy in copies if property_of(copy, "ArchiveKey")]
    archive_keys = Counter(property_of(copy, "ArchiveKey") for copy in copies)
    covered = {key for key in by_key if archive_key_of(configuration_id, key) in archive_keys}
    settled = {_content(by_key[key]) for key in covered}
    expected = {key for key, event in by_key.items() if archived.owns(event)}
    uncovered = {key for key in expected - covered if _content(by_key[key]) not in settled}
    own = tuple(event for event in by_key.values() if any(window.owns(event) for window in windows))
    return Comparison(len(own), frozenset(uncovered), _doubled(copies, configuration_id), own)


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

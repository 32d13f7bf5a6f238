"""What must be true of the archive in the end, found without any of the product's own planning.

It knows what every plan read, what the mailbox ever held, and what the owner did to copies. Content is
compared field by field from Graph's JSON of the source with Graph's JSON of the copy.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from tests.simulation.mailbox import archive_key_of, key_of, property_of

type Json = dict[str, Any]

_TAGS = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The events that one completed plan read, by source key, and the window it was for."""

    run_id: UUID
    start: datetime
    end: datetime
    events: Mapping[str, Json]

    def owned(self, zone: ZoneInfo) -> dict[str, Json]:
        """The events that belong to the window (domain.md 2.2)."""
        return {
            key: item
            for key, item in self.events.items()
            if self.start <= owning_start(item, zone) < self.end
        }


@dataclass(slots=True)
class Facts:
    """Everything the oracle judges from."""

    configuration_id: UUID
    zone: ZoneInfo
    last: Snapshot
    history: Mapping[str, list[Json]]
    touched: set[str]
    copies: list[Json]
    rows: Sequence[Mapping[str, Any]]
    operations: Sequence[Mapping[str, Any]]
    appointments: Sequence[Mapping[str, Any]]
    problems: list[str] = field(default_factory=list)

    def judge(self) -> list[str]:
        """Everything that is wrong; empty if the archive is what it must be."""
        by_key = self._copies_by_key()
        known = {archive_key(self.configuration_id, key): key for key in self.history}
        for found in by_key:
            if found not in known:
                self.problems.append(f"a copy carries the unknown archive key {found[:12]}")
        final = self.last.owned(self.zone)
        self._living(final, by_key)
        self._vanished(final, by_key, known)
        self._recorded(final)
        return self.problems

    def _copies_by_key(self) -> dict[str, Json]:
        counts = Counter(archive_key_of(copy) for copy in self.copies)
        for found, count in counts.items():
            if count > 1:
                self.problems.append(f"{count} copies carry archive key {found[:12]}")
        if "" in counts:
            self.problems.append("a copy carries no archive key")
        return {archive_key_of(copy): copy for copy in self.copies}

    def _living(self, final: Mapping[str, Json], by_key: Mapping[str, Json]) -> None:
        """Every event of the last plan: one copy that says what it says, its own or its duplicate's."""
        rows = {row["source_key"]: row for row in self.rows}
        groups: dict[tuple[Any, ...], list[str]] = defaultdict(list)
        for key, item in final.items():
            groups[sameness(item)].append(key)
        for key, item in final.items():
            row = rows.get(key)
            if row is None:
                self.problems.append(f"{name(item)} was read but is not in the map")
                continue
            group = groups[sameness(item)]
            if row["state"] == "merged":
                self._merged(key, item, row, group, rows, by_key)
            elif row["archive_key"] in self.touched:
                continue
            elif row["archive_key"] not in by_key:
                self.problems.append(f"{name(item)} has no copy (row {row['state']})")
            else:
                self._says(item, by_key[row["archive_key"]])

    def _merged(
        self,
        key: str,
        item: Json,
        row: Mapping[str, Any],
        group: list[str],
        rows: Mapping[str, Mapping[str, Any]],
        by_key: Mapping[str, Json],
    ) -> None:
        into = row["merged_into"]
        if into not in group or into == key:
            self.problems.append(f"{name(item)} is merged into something that is no duplicate of it")
        elif rows[into]["archive_key"] not in by_key and rows[into]["archive_key"] not in self.touched:
            self.problems.append(f"{name(item)} is merged into an event without a copy")
        if row["archive_key"] in by_key:
            self.problems.append(f"{name(item)} is merged but has a copy too")

    def _vanished(
        self, final: Mapping[str, Json], by_key: Mapping[str, Json], known: Mapping[str, str]
    ) -> None:
        """What is not in the window any more stays archived as it was last read (domain.md 2.4)."""
        rows = {row["archive_key"]: row for row in self.rows}
        written = {op["archived_event_id"] for op in self.operations if op["state"] == "done"}
        for row in self.rows:
            gone = row["source_key"] not in final
            expected = row["id"] in written and row["copy_id"] is not None
            if (
                gone
                and expected
                and row["archive_key"] not in by_key
                and row["archive_key"] not in self.touched
            ):
                self.problems.append(f"the copy of a vanished event is missing ({row['source_key'][-20:]})")
        for found, copy in by_key.items():
            if found not in rows:
                self.problems.append(f"no row of the map owns the copy {copy['subject']!r} {found[:12]}")
                continue
            row = rows[found]
            if found in self.touched or row["source_key"] in final:
                continue
            source = known.get(found, row["source_key"])
            versions = [*self.history.get(source, ()), *self.history.get(row["source_key"], ())]
            if not any(content(version) == content(copy) for version in versions):
                self.problems.append(f"the copy {copy['subject']!r} says what its source never said")

    def _recorded(self, final: Mapping[str, Json]) -> None:
        """Our own record: one appointment for each copy, which says what the source says."""
        recorded = {appointment["archived_event_id"]: appointment for appointment in self.appointments}
        for row in self.rows:
            appointment = recorded.get(row["id"])
            what = f"row {row['source_key'][-24:]} ({row['state']})"
            if row["copy_id"] is None:
                if appointment is not None:
                    self.problems.append(f"{what} has no copy but an appointment")
            elif appointment is None:
                self.problems.append(f"{what} has a copy but no appointment")
            elif row["archive_key"] not in self.touched:
                self._agrees(what, row, appointment, final.get(row["source_key"]))

    def _agrees(
        self, what: str, row: Mapping[str, Any], appointment: Mapping[str, Any], source: Json | None
    ) -> None:
        if appointment["revision"] != row["revision"]:
            self.problems.append(f"{what}: the appointment has another revision than the copy")
        if source is None:
            return
        if appointment["source_deleted_at"] is not None:
            self.problems.append(f"{what}: the appointment's source counts as deleted")
        said = source["subject"], source["start"]["dateTime"][:19], source["end"]["dateTime"][:19]
        found = tuple(appointment[name] for name in ("subject", "start_at", "end_at"))
        if (found[0], *(f"{moment:%Y-%m-%dT%H:%M:%S}" for moment in found[1:])) != said:
            self.problems.append(f"{what}: the appointment says {found}, not {said}")

    def _says(self, item: Json, copy: Json) -> None:
        wanted, found = content(item), content(copy)
        for field_name, value in wanted.items():
            if found[field_name] != value:
                self.problems.append(
                    f"the copy of {name(item)} says {field_name} {found[field_name]!r}, not {value!r}"
                )


def archive_key(configuration_id: UUID, key: str) -> str:
    """What domain.md 2.6 says of ArchiveKey."""
    return hashlib.sha256(f"{configuration_id}|{key}".encode()).hexdigest()


def owning_start(item: Json, zone: ZoneInfo) -> datetime:
    """The instant that decides to which window an event belongs (domain.md 2.2)."""
    start = datetime.fromisoformat(item["start"]["dateTime"])
    if not item["isAllDay"]:
        return start.replace(tzinfo=UTC)
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    for minutes in range(0, 24 * 60, 30):
        local = (midnight + timedelta(minutes=minutes)).replace(tzinfo=zone)
        instant = local.astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
            return instant
    return midnight.replace(tzinfo=UTC)


def content(item: Json) -> Json:
    """What source and copy must agree on."""
    return {
        "subject": item["subject"][:255].strip(),
        "body": "".join(_TAGS.sub("", item["body"]["content"]).split()),
        "start": item["start"]["dateTime"][:19],
        "end": item["end"]["dateTime"][:19],
        "isAllDay": item["isAllDay"],
        "location": (item["location"] or {}).get("displayName") or "",
        "categories": sorted(item["categories"]),
        "showAs": "busy" if item["showAs"] == "unknown" else item["showAs"],
        "importance": item["importance"],
        "sensitivity": item["sensitivity"],
        "zone": item["originalStartTimeZone"],
    }


def sameness(item: Json) -> tuple[Any, ...]:
    """Equal for duplicates (domain.md 2.9)."""
    organizer = (item.get("organizer") or {}).get("emailAddress", {}).get("address", "").casefold()
    return (
        item["subject"],
        item["start"]["dateTime"],
        item["end"]["dateTime"],
        item["isAllDay"],
        item["isCancelled"],
        (item.get("responseStatus") or {}).get("response") == "declined",
        organizer,
        tuple(sorted(category.casefold() for category in item["categories"])),
        item["body"]["contentType"],
        item["body"]["content"].replace("\r\n", "\n"),
    )


def name(item: Json) -> str:
    """How a problem names an event."""
    return f"{item['subject']!r} at {item['start']['dateTime'][:16]} ({key_of(item)[-24:]})"


def copies_without_source(copies: Iterable[Json]) -> list[str]:
    """Copies whose ``ArchiveSource`` cannot be read back."""
    return [copy["subject"] for copy in copies if not property_of(copy, "ArchiveSource")]

"""What must be true of the archive in the end, found without any of the product's own planning.

It knows what every plan read, what the mailbox ever held, and what the owner did to copies. Content is
compared field by field from Graph's JSON of the source with Graph's JSON of the copy.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from tests.simulation.comparing import (
    archive_key,
    as_archived,
    content,
    name,
    owning_start,
    recorded_version,
    sameness,
    times_told,
)
from tests.simulation.deciding import named
from tests.simulation.following import is_refused, with_category
from tests.simulation.locked_periods import Frozen
from tests.simulation.rules import (
    Expected,
    Policies,
    Settled,
    Told,
    expect,
    shown,
    told,
)
from tests.simulation.source_keys import archive_key_of, meeting_of

type Json = dict[str, Any]


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
    policies: Policies
    settled: Sequence[Settled]
    #: Archive keys of the copies that were there before the last run.
    copied: set[str]
    #: Graph's ids of everything that is in any calendar of the mailbox now.
    mailbox: Set[str]
    frozen: Frozen | None = None
    #: Keys of new events that wait for an answer: each may be a meeting that has a copy (domain.md 2.16).
    waiting: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    #: The events of the window by the keys of their rows, as their copies are to show them.
    living: dict[str, Json] = field(default_factory=dict)
    #: Keys of rows whose source or copy touches the locked period: they may differ from their calendar.
    locked_keys: set[str] = field(default_factory=set)
    #: Why each event that the rules merge, consume, leave out or let wait counts no time. By key.
    reasons: dict[str, str] = field(default_factory=dict)
    _recorded_as: dict[UUID, Mapping[str, Any]] = field(default_factory=dict)

    def judge(self) -> list[str]:
        """Everything that is wrong; empty if the archive is what it must be."""
        by_key = self._copies_by_key()
        self._recorded_as = {each["archived_event_id"]: each for each in self.appointments}
        known = {
            archive_key(self.configuration_id, found): key
            for key in self.history
            for found in (key, *(f"{key}|{generation}" for generation in range(1, 9)))
        }
        for found in by_key:
            if found not in known:
                self.problems.append(f"a copy carries the unknown archive key {found[:12]}")
        final = self.living = self._followed(known)
        expected = self._living(final, by_key)
        self._vanished(final, by_key, known)
        self._recorded(final, expected)
        if self.frozen is not None:
            self.problems += self.frozen.violations(self.copies, self.touched)
        return self.problems

    def _followed(self, known: Mapping[str, str]) -> dict[str, Json]:
        """The events of the window by the keys of their rows, as far as their copies follow them."""
        rows: dict[str, Mapping[str, Any]] = {}
        for each in sorted(self.rows, key=lambda row: row["state"] != "source_deleted"):
            rows[each["source_id"]] = each
        followed: dict[str, Json] = {}
        for key, item in self.last.events.items():
            row = rows.get(item["id"])
            shown = item if row is None else self._as_followed(item, key, row, known)
            if self.last.start <= owning_start(shown, self.zone) < self.last.end:
                followed[key if row is None else row["source_key"]] = shown
        return followed

    def _as_followed(self, item: Json, key: str, row: Mapping[str, Any], known: Mapping[str, str]) -> Json:
        """What the copy of an event is to say of it (domain.md 2.16, 2.17)."""
        shown = item
        record = self._recorded_as.get(row["id"])
        edited = row["archive_key"] in self.touched
        refused = edited and is_refused(item, row, self.operations, self.zone)
        follows = item["type"] != "occurrence" or refused
        if not follows and record is not None and row["copy_id"] is not None:
            keys = (key, row["source_key"], known.get(row["archive_key"]), f"s:{item['seriesMasterId']}")
            versions = [version for each in keys if each for version in self.history.get(each, ())]
            versions = [*self._between(row, meeting_of(item)), *versions]
            then = recorded_version(versions, record)
            if then is not None:
                shown = as_archived(item, then)
        return with_category(shown, row)

    def _between(self, row: Mapping[str, Any], meeting: int) -> list[Json]:
        """What the former keys of a row showed of its meeting.

        A series that is split twice gives a day two successors. The copy may have followed the first one, as
        in replace mode (domain.md 2.10). It keeps that when the second one comes (2.17).
        """
        versions = [version for key in row["former_keys"] for version in self.history.get(key, ())]
        return [version for version in versions if meeting_of(version) == meeting]

    @property
    def missed(self) -> set[str]:
        """Events whose copy the last run found deleted by the owner when it wrote: its plan knew nothing."""
        tried = {op["archived_event_id"] for op in self.operations if op["run_id"] == self.last.run_id}
        removed = (row for row in self.rows if row["state"] == "removed_by_owner")
        return {row["source_key"] for row in removed if row["id"] in tried}

    def _copies_by_key(self) -> dict[str, Json]:
        counts = Counter(archive_key_of(copy) for copy in self.copies)
        for found, count in counts.items():
            if count > 1:
                self.problems.append(f"{count} copies carry archive key {found[:12]}")
        if "" in counts:
            self.problems.append("a copy carries no archive key")
        return {archive_key_of(copy): copy for copy in self.copies}

    def _living(self, final: Mapping[str, Json], by_key: Mapping[str, Json]) -> Expected:
        """Every event of the last plan: where the rules of domain.md 2 to 6 put it, and its copy says so."""
        rows = {row["source_key"]: row for row in self.rows}
        groups: dict[tuple[Any, ...], list[str]] = defaultdict(list)
        for key, item in final.items():
            groups[sameness(item)].append(key)
        standing = []
        for key, item in final.items():
            row = rows.get(key)
            if row is None:
                self.problems.append(f"{name(item)} was read but is not in the map")
            elif row["state"] == "merged":
                self.reasons[key] = "merged"
                self._merged(key, item, row, groups[sameness(item)], rows, by_key)
            elif row["left_out"] == "series_changed":
                self.reasons[key] = "left_out_by_rule"
                self._invented(item, row, by_key)
            elif key in self.waiting and row["state"] == "flagged":
                self.reasons[key] = "waiting"
                if row["archive_key"] in by_key:
                    self.problems.append(f"{name(item)} waits for an answer and has a copy")
            elif not self._held(row, rows, final):
                standing.append(told(item, key, self.zone))
        unwanted = {key for key, row in rows.items() if row["state"] == "removed_by_owner"}
        missed = self.missed
        archived = missed | {key for key, row in rows.items() if self._had_copy(row)}
        expected = expect(standing, self.policies, archived, unwanted - missed, self.settled, named)
        wanted = expected.archived
        locked = {
            key for key, row in rows.items() if self._is_locked(row, final.get(key), wanted.get(key), by_key)
        }
        self.locked_keys = locked
        for keys in groups.values():
            if locked.isdisjoint(keys):
                self._stand_apart([rows[key] for key in keys if key in rows], final)
        for event in standing:
            if event.key not in unwanted and event.key not in locked:
                self._placed(event, expected, rows[event.key], by_key)
        self._note_reasons(expected)
        for key in locked:
            expected.archived.pop(key, None)
        return expected

    def _note_reasons(self, expected: Expected) -> None:
        self.reasons |= dict.fromkeys(expected.left_out, "left_out_by_rule")
        self.reasons |= dict.fromkeys(expected.flagged, "waiting")
        self.reasons |= dict.fromkeys(expected.consumed, "consumed")
        self.reasons |= dict.fromkeys(expected.dropped, "left_out_by_resolution")

    def _invented(self, item: Json, row: Mapping[str, Any], by_key: Mapping[str, Json]) -> None:
        """A day that a changed series has now has no copy (domain.md 2.17)."""
        if item["type"] != "occurrence" or row["archive_key"] in by_key:
            self.problems.append(f"{name(item)} is no day that a changed series invented")

    def _held(
        self, row: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]], final: Mapping[str, Json]
    ) -> bool:
        """Whether a modification stays consumed since its meeting is gone (domain.md 4.6)."""
        if row["state"] != "consumed" or row["merged_into"] in final:
            return False
        meeting = rows.get(row["merged_into"])
        if meeting is None:
            return False
        if meeting["state"] in ("superseded", "removed_by_owner"):
            # What the owner said of the copy holds for the times that it had (4.6).
            return meeting["source_id"] not in self.mailbox
        # Of what was never archived nobody says that its source is gone.
        return meeting["state"] in ("source_deleted", "left_out")

    def _is_locked(
        self, row: Mapping[str, Any], item: Json | None, wanted: Told | None, by_key: Mapping[str, Json]
    ) -> bool:
        """Whether an event's source, its copy, or the copy that it should have touches the locked period."""
        if self.frozen is None:
            return False
        there = (item, by_key.get(row["archive_key"]))
        # A modification may move an edge of a meeting into the period (domain.md 2.8, 4.5).
        reaches = wanted is not None and self.frozen.reached_by(wanted.start, wanted.end)
        return reaches or any(each and self.frozen.holds(each) for each in there)

    def _had_copy(self, row: Mapping[str, Any]) -> bool:
        """Whether the last plan had to take an event for archived: nobody looks for what owners deleted."""
        mine = row["archive_key"]
        return mine in self.copied or (mine in self.touched and row["copy_id"] is not None)

    def _stand_apart(self, rows: Sequence[Mapping[str, Any]], final: Mapping[str, Json]) -> None:
        """Of duplicates one is archived, more only where more were before they became duplicates (2.9)."""
        # A day that a changed series invents in the past is archived by nobody (2.17).
        standing = [row for row in rows if row["state"] != "merged" and row["left_out"] != "series_changed"]
        # One that its owner is asked about waits, whatever is beside it (2.16).
        standing = [row for row in standing if row["source_key"] not in self.waiting]
        fresh = [row for row in standing if not self._had_copy(row) and row["state"] != "removed_by_owner"]
        if len(standing) > 1 and fresh:
            what = name(final[fresh[0]["source_key"]])
            self.problems.append(f"{what} stands beside its duplicate ({fresh[0]['state']})")

    def _placed(
        self, event: Told, expected: Expected, row: Mapping[str, Any], by_key: Mapping[str, Json]
    ) -> None:
        key, state, copy = event.key, row["state"], by_key.get(row["archive_key"])
        what = name(event.item)
        wanted = (
            "consumed"
            if key in expected.consumed
            else "left_out"
            if key in expected.left_out
            else "flagged"
            if key in expected.flagged
            else "present"
        )
        if wanted == "consumed" and state == "present" and row["archive_key"] in self.touched:
            # It was archived alone. Its owner edited the copy, so it is not shown free (domain.md 2.5, 4.6).
            return
        if state != wanted:
            self.problems.append(f"{what} is {state}, not {wanted}")
        elif wanted == "consumed" and row["merged_into"] != expected.consumed[key]:
            self.problems.append(f"{what} is consumed by {row['merged_into']}, not {expected.consumed[key]}")
        elif wanted in ("left_out", "flagged") and copy is not None:
            self.problems.append(f"{what} is {state} and has a copy")
        elif wanted == "present" and row["archive_key"] not in self.touched:
            if copy is None:
                self.problems.append(f"{what} has no copy")
            else:
                self._says(expected.archived[key], copy)

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
        elif rows[into]["state"] == "merged":
            self.problems.append(f"{name(item)} is merged into an event that is merged itself")
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
            # An item that was used again has its former key with a date (domain.md 2.4).
            keys = (source, row["source_key"].partition("@")[0])
            versions = [version for key in keys for version in self.history.get(key, ())]
            versions += self._between(row, meeting_of(copy))
            free = {"categories"} if row["kept_categories"] else set()
            if not any(self._may_say(version, copy, free) for version in versions):
                self.problems.append(f"the copy {copy['subject']!r} says what its source never said")

    def _may_say(self, version: Json, copy: Json, free: set[str]) -> bool:
        """Whether a copy is one of a version, whatever modifications and automation made of it."""
        wanted, found = content(version), content(copy)
        made = {"start", "end", "sensitivity", "showAs"} | free
        return all(found[each] == value for each, value in wanted.items() if each not in made)

    def _recorded(self, final: Mapping[str, Json], expected: Expected) -> None:
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
                self._agrees(what, row, appointment, expected.archived.get(row["source_key"]))

    def _agrees(
        self, what: str, row: Mapping[str, Any], appointment: Mapping[str, Any], source: Told | None
    ) -> None:
        if appointment["revision"] != row["revision"]:
            self.problems.append(f"{what}: the appointment has another revision than the copy")
        if source is None:
            return
        if appointment["source_deleted_at"] is not None:
            self.problems.append(f"{what}: the appointment's source counts as deleted")
        said = source.item["subject"], *times_told(source)
        found = tuple(appointment[name] for name in ("subject", "start_at", "end_at"))
        if (found[0], *(f"{moment:%Y-%m-%dT%H:%M:%S}" for moment in found[1:])) != said:
            self.problems.append(f"{what}: the appointment says {found}, not {said}")

    def _says(self, event: Told, copy: Json) -> None:
        start, end = times_told(event)
        wanted = content(event.item) | {"start": start, "end": end} | shown(event, self.policies)
        wanted["showAs"] = "busy" if wanted["showAs"] == "unknown" else wanted["showAs"]
        found = content(copy)
        for field_name, value in wanted.items():
            if found[field_name] != value:
                self.problems.append(
                    f"the copy of {name(event.item)} says {field_name} {found[field_name]!r}, not {value!r}"
                )

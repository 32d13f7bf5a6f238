"""Why the totals of a verification differ: every record, copy and source event is explained (2.15)."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from shared.domain.copies.recorded_copy import RecordedCopy
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.runs.unread import UnreadEvents
from shared.domain.verifying.verification import Explained

BEING_WRITTEN = "being_written"
ELSEWHERE = "copy_elsewhere"
MISSING = "missing"
UNREAD = "unread"
NOT_WRITTEN = "not_written"
SECOND_COPIES = "second_copies"
RECORDED_ELSEWHERE = "recorded_elsewhere"
ANOTHER_CONFIGURATION = "another_configuration"
UNKNOWN = "unknown"
NOT_IN_CALENDAR = "not_in_calendar"
NOT_ARCHIVED = "not_archived"
_NO_COPY_OF_THEIR_OWN = (
    ArchivedEventState.MERGED,
    ArchivedEventState.CONSUMED,
    ArchivedEventState.LEFT_OUT,
    ArchivedEventState.FLAGGED,
    ArchivedEventState.REMOVED_BY_OWNER,
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found about the records of a chunk."""

    #: How many copies that start in the range carry each ArchiveKey.
    owned: Mapping[str, int]
    #: The keys of copies, also in the margins.
    around: Collection[str]
    #: Records whose copy was found by id.
    standing: Collection[UUID]
    #: The source keys of events in the range.
    sources: Collection[str]
    #: For records that were never written: the result of the last attempt.
    last_writes: Mapping[UUID, str]


@dataclass(slots=True)
class Balance:
    """The totals of a range and their differences.

    ``copies`` are ``records``, less those without a copy, plus the copies without a record. ``sources`` are
    ``records``, less those without a source event, plus the source events without a record.
    """

    records: int = 0
    without_copy: Counter[str] = field(default_factory=Counter)
    without_source: Counter[str] = field(default_factory=Counter)
    beyond_records: Counter[str] = field(default_factory=Counter)
    unarchived: int = 0
    _copies_of_records: int = 0
    _sources_of_records: int = 0
    _ids: set[UUID] = field(default_factory=set)
    _strangers: set[str] = field(default_factory=set)

    def add_stranger(self, copy_id: str, *, anothers: bool) -> None:
        """Count a copy in the range that does not belong to this configuration."""
        if copy_id not in self._strangers:
            self._strangers.add(copy_id)
            self.beyond_records[ANOTHER_CONFIGURATION if anothers else UNKNOWN] += 1

    def add_records(
        self, rows: Sequence[RecordedCopy], seen: Seen, source: UnreadEvents, archive: UnreadEvents
    ) -> None:
        """Count records of the range. Each counts once, even if its row moved during the comparison."""
        for row in rows:
            if row.id in self._ids:
                continue
            self._ids.add(row.id)
            self.records += 1
            owned = seen.owned.get(row.archive_key, 0)
            self._copies_of_records += owned
            if owned > 1:
                self.beyond_records[SECOND_COPIES] += owned - 1
            elif not owned:
                self.without_copy[_why_no_copy(row, seen, archive)] += 1
            if row.source_key in seen.sources:
                self._sources_of_records += 1
            else:
                self.without_source[_why_no_source(row, source)] += 1

    def totals(self, sources: int, own_copies: int) -> dict[str, int]:
        """Records, copies and source events, from the totals of what was read."""
        if own_copies != self._copies_of_records:
            self.beyond_records[RECORDED_ELSEWHERE] += own_copies - self._copies_of_records
        copies = own_copies + len(self._strangers)
        return {"sources": sources, "records": self.records, "copies": copies}

    def explained(self, sources: int, unread: Mapping[str, int]) -> Explained:
        """The explanation in the form of the resource."""
        without_record = sources - self._sources_of_records
        known = {NOT_ARCHIVED: self.unarchived, RECORDED_ELSEWHERE: without_record - self.unarchived}
        return {
            "records_without_copy": dict(self.without_copy),
            "copies_without_record": dict(self.beyond_records),
            "records_without_source": dict(self.without_source),
            "sources_without_record": {name: count for name, count in known.items() if count},
            "unread": dict(unread),
        }


def added(before: Explained | None, more: Explained) -> Explained:
    """The sum of two ranges."""
    before = before or {}
    return {part: dict(Counter(before.get(part) or {}) + Counter(counts)) for part, counts in more.items()}


def _why_no_copy(row: RecordedCopy, seen: Seen, archive: UnreadEvents) -> str:
    if row.busy:
        return BEING_WRITTEN
    if row.id in seen.standing or row.archive_key in seen.around:
        return ELSEWHERE
    if row.copy_id is not None and (row.copy_id in archive.ids or archive.holds(row.start_at)):
        return UNREAD
    if row.state in _NO_COPY_OF_THEIR_OWN:
        return str(row.state)
    if row.copy_id is not None:
        return MISSING
    if row.state is ArchivedEventState.CREATING:
        return seen.last_writes.get(row.id, NOT_WRITTEN)
    return str(row.state)


def _why_no_source(row: RecordedCopy, source: UnreadEvents) -> str:
    if row.source_id in source.ids or source.holds(row.start_at):
        return UNREAD
    if row.state is ArchivedEventState.SOURCE_DELETED:
        return str(row.state)
    return NOT_IN_CALENDAR

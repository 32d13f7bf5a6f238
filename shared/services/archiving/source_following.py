"""Which changes of their sources copies take. A changed series does not change past meetings (2.16, 2.17)."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.appointments.appointments import AppointmentRepository
from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.database.repositories.archiving.archived_events import MapRow
from shared.domain.events.revision import modified_revision, revision, source_revision
from shared.domain.events.source_event import EventType, SourceEvent
from shared.domain.planning.meeting_facts import MeetingFacts
from shared.domain.planning.read_event import ReadEvent
from shared.domain.planning.series_change import Kept, keep_archived, keep_category
from shared.domain.runs.archived_event import ArchivedEventState

type Takes = Callable[[SourceEvent, MapRow, Kept], bool]
"""Whether a copy takes all changes of its series. Arguments: the event, its row, and what it keeps otherwise.
"""

_WITH_COPY = (
    ArchivedEventState.PRESENT,
    ArchivedEventState.SOURCE_DELETED,
    ArchivedEventState.CONSUMED,
)


class SourceFollowing:
    """Reduces the events of one configuration to the changes that are written to their copies."""

    def __init__(self, owner_id: UUID, configuration_id: UUID) -> None:
        self._owner_id = owner_id
        self._configuration_id = configuration_id

    async def followed(
        self,
        session: AsyncSession,
        events: Mapping[str, SourceEvent],
        rows: Mapping[str, MapRow],
        *,
        takes: Takes | None = None,
        whole: Collection[str] = (),
    ) -> dict[str, ReadEvent]:
        """Events by key, with their rows.

        Copies of ``whole`` keys take every change of their sources. Other copies take the change of a series
        if ``takes`` says so.
        """
        reads = {key: _with_category(event, key, rows.get(key)) for key, event in events.items()}
        asked = {key: read for key, read in reads.items() if key not in whole}
        for key, each in (await self._kept(session, asked, rows)).items():
            event, row = events[key], rows[key]
            if takes is not None and takes(event, row, each):
                continue
            same = each.unchanged and not row.modifications
            said = source_revision(row.revision) if same else None
            withheld = event if each.withheld else None
            own = asked[key].own_categories
            reads[key] = ReadEvent(each.event, key, event.start, said, withheld=withheld, own_categories=own)
        return reads

    async def archived_after_end(
        self, session: AsyncSession, rows: Mapping[str, MapRow]
    ) -> dict[str, datetime]:
        """When the last plan saw each row at its time. Only rows whose copies had ended by then."""
        records = await AppointmentRepository(session).recorded(
            self._owner_id, [row.id for row in rows.values()]
        )
        planned = await self.last_planned(session, {row.start_at for row in rows.values()})
        return {
            key: last
            for key, row in rows.items()
            if (last := planned.get(row.start_at)) is not None
            and (record := records.get(row.id)) is not None
            and record.end <= last
        }

    async def with_lateness(
        self, session: AsyncSession, events: Sequence[MeetingFacts]
    ) -> list[MeetingFacts]:
        """Add facts to new events. An event is late if a plan of its time was made after its end (2.16 d)."""
        planned = await self.last_planned(session, {each.start for each in events})
        return [
            replace(each, late=(last := planned.get(each.start)) is not None and last >= each.end)
            for each in events
        ]

    async def last_planned(
        self, session: AsyncSession, instants: Collection[datetime]
    ) -> dict[datetime, datetime]:
        """For each instant, when the last plan was made whose window contains it."""
        return await ArchiveRunRepository(session).last_planned(
            self._owner_id, self._configuration_id, instants
        )

    async def _kept(
        self, session: AsyncSession, reads: Mapping[str, ReadEvent], rows: Mapping[str, MapRow]
    ) -> dict[str, Kept]:
        """Plain occurrences that differ from copies which had ended when they were archived."""
        changed = {
            row.id: read
            for key, read in reads.items()
            if read.event.type is EventType.OCCURRENCE
            and (row := rows.get(key)) is not None
            and row.copy_id is not None
            and row.state in _WITH_COPY
            and _applied(read.event, row) != source_revision(row.revision)
            and not _refused(read.event, row)
        }
        if not changed:
            return {}
        records = await AppointmentRepository(session).recorded(self._owner_id, list(changed))
        planned = await self.last_planned(session, {rows[read.key].start_at for read in changed.values()})
        kept: dict[str, Kept] = {}
        for row_id, read in changed.items():
            row, record = rows[read.key], records.get(row_id)
            last = planned.get(row.start_at)
            if record is not None and last is not None and record.end <= last:
                source = record.source(row.source_id, row.original_start, row.series_id)
                kept[read.key] = keep_archived(read.event, source)
        return kept


def _with_category(event: SourceEvent, key: str, row: MapRow | None) -> ReadEvent:
    kept = event if row is None else keep_category(event, row.kept_categories)
    own = None if kept is event else event.categories
    return ReadEvent(kept, key, event.start, own_categories=own)


def _applied(event: SourceEvent, row: MapRow) -> str:
    return modified_revision(
        revision(event), [(each.key, each.start, each.end) for each in row.modifications]
    )


def _refused(event: SourceEvent, row: MapRow) -> bool:
    """Whether a run meant to write this and met an edit of the copy by its owner: a conflict stays (2.17)."""
    return row.conflict_revision in (revision(event), _applied(event, row))

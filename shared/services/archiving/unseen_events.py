"""What no page of the window showed: heirs, vanished events, failed writes, events to keep though gone."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.appointments.appointments import AppointmentRepository
from shared.database.repositories.archiving.archived_events import MapRow
from shared.domain.planning.archive_plan import Decision, Planner
from shared.domain.planning.decision import Consume, Create, Flag, LeaveOut, Update, applied_modifications
from shared.domain.planning.read_event import ReadEvent
from shared.domain.runs.archived_event import ArchivedEventState
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.archiving.decisions import DecisionWriter, Material
from shared.services.archiving.drafting import OperationDrafter, applied_revision
from shared.services.archiving.matching import SourceMatcher, known_event
from shared.services.archiving.plan_turn import PlanTurn
from shared.services.archiving.source_lookup import believed, read_places
from shared.services.archiving.source_reading import SourceReader, SourceStanding
from shared.services.archiving.taking_over import TakingOver

RETRY_FAILED_FOR = timedelta(days=30)
_CHUNK = 200
# Read only the keys first. There are nearly always none.
_KEYS = 1000


@dataclass(frozen=True, slots=True)
class PlanParts:
    """The parts of one plan in the making."""

    ports: ArchivingPorts
    turn: PlanTurn
    context: RunContext
    open_keys: frozenset[str]
    planner: Planner
    drafter: OperationDrafter
    reader: SourceReader
    writer: DecisionWriter
    matcher: SourceMatcher


class UnseenEvents:
    """Reads events by id, after the pages, and decides for each alone."""

    def __init__(self, parts: PlanParts) -> None:
        self._ports = parts.ports
        self._turn = parts.turn
        self._context = parts.context
        self._open_keys = parts.open_keys
        self._planner = parts.planner
        self._drafter = parts.drafter
        self._reader = parts.reader
        self._writer = parts.writer
        self._matcher = parts.matcher
        self._taking_over = TakingOver(parts.ports, parts.context)
        #: How many events of copies turned out to be deleted.
        self.source_deleted = 0
        #: How many rows of the window no page shows.
        self.rows = 0

    async def read_bodies(self) -> None:
        """Carry out decisions whose body was not kept, as of a modification of an archived meeting."""
        bodiless = self._writer.bodiless
        keys = sorted(bodiless)
        for start in range(0, len(keys), _CHUNK):
            await self._complete({key: bodiless[key] for key in keys[start : start + _CHUNK]})
        bodiless.clear()

    async def _complete(self, decisions: dict[str, Create | Update | Flag]) -> None:
        rows, reads, gone = await self._read_by_id(list(decisions))
        for decision in decisions.values():
            self._writer.take_back(decision)
        standing: list[Decision] = []
        for key, read in reads.items():
            decision = decisions[key]
            as_planned = applied_revision(read.event, applied_modifications(decision)) == decision.revision
            # Changed since its page was read. Decide it alone now; the next run sees it with the others.
            again = self._drafter.decide_again(rows[key], read, self._context.mode)
            keeps = as_planned or isinstance(decision, Flag)
            standing.append(decision if keeps else replace(again, margin=decision.margin))
        await self._carry_out_by_id(standing, reads, rows, gone)

    async def inherit(self) -> None:
        """Duplicates take over the copy of a representative that is not among them any more."""
        heirs, self._writer.heirs = self._writer.heirs, {}
        for heir_key, (former_key, decided) in sorted(heirs.items()):
            async with self._turn.session() as session:
                rows = await self._context.archived_events(session).by_keys([heir_key, former_key])
            heir, former = rows.get(heir_key), rows.get(former_key)
            if heir is None:
                continue
            if former is not None and not self._planner.has_seen(former_key):
                standing = await self._reader.standing_of(self._turn, former)
                if standing is SourceStanding.UNKNOWN:
                    # The representative may still stand in for this event, or may have left its copy to it.
                    self._writer.keep_merged(decided, former_key)
                    continue
                if standing is SourceStanding.LEFT:
                    await self._stand_in(former, heir)
            async with self._turn.session() as session:
                await self._context.archived_events(session).separate([heir_key], self._ports.clock.now())
            await self._decide_by_id([heir_key], heir=decided)

    async def _stand_in(self, former: MapRow, heir: MapRow) -> None:
        """The heir takes over the copy, or waits in the place of what waited without one."""
        if former.copy_id is not None:
            await self._matcher.take_over(former, heir)
            return
        async with self._turn.session() as session:
            await self._context.overlaps(session).forget_records([former.source_key])

    async def find_vanished(self) -> None:
        """Rows of the window that no page showed: gone, or moved (domain.md 2.4)."""
        window = self._context.window
        after: tuple[datetime, str] | None = None
        while True:
            async with self._turn.session() as session:
                rows = await self._context.archived_events(session).keys_in_window(
                    window.start, window.end, _KEYS, after
                )
            unseen = [key for _, key in rows if not self._planner.has_seen(key)]
            self.rows += len(unseen)
            for first in range(0, len(unseen), _CHUNK):
                await self._decide_by_id(unseen[first : first + _CHUNK])
            if len(rows) < _KEYS:
                return
            after = rows[-1]

    async def retry_failed(self) -> None:
        """Writes that failed in the last 30 days and are not in this window (domain.md 2.2)."""
        since = self._ports.clock.now() - RETRY_FAILED_FOR
        async with self._turn.session() as session:
            rows = await self._context.archived_events(session).pending_outside(
                self._context.window.start, self._context.window.end, since, _CHUNK
            )
        await self._decide_by_id(
            [row.source_key for row in rows if not self._planner.has_seen(row.source_key)]
        )

    async def keep_though_gone(self, session: AsyncSession) -> None:
        """Archive as recorded what waited for a decision and vanished from the source (5.8)."""
        records = await self._context.overlaps(session).gone_but_kept(_CHUNK)
        records = {key: record for key, record in records.items() if key not in self._open_keys}
        if not records:
            return
        rows = await self._context.archived_events(session).by_keys(list(records))
        await self._drafter.add_recorded(session, records, rows)
        self._writer.counts["source"] += len(records)
        self._writer.counts["planned"] += len(records)

    async def _decide_by_id(self, keys: list[str], *, heir: Create | Flag | None = None) -> None:
        """Read events by id and decide each one alone. Only a 404 proves that an event is gone."""
        if not keys:
            return
        rows, reads, gone = await self._read_by_id(keys, anew=heir is not None)
        decisions = [
            self._drafter.decide_heir(heir, rows[key], read, self._context.mode)
            if heir is not None
            else self._planner.decide_single(read, known_event(rows[key]))
            for key, read in reads.items()
        ]
        await self._carry_out_by_id(decisions, reads, rows, gone)

    async def _read_by_id(
        self, keys: list[str], *, anew: bool = False
    ) -> tuple[dict[str, MapRow], dict[str, ReadEvent], list[MapRow]]:
        """The rows of these keys, their events, and the rows whose source is gone (2.4).

        An event that left its row behind gets a new row with ``anew``, else when its new time is planned.
        """
        async with self._turn.session() as session:
            rows = await self._context.archived_events(session).by_keys(keys)
        met = {row.source_id for key, row in rows.items() if self._reader.has_met(key)}
        ids = [row.source_id for row in rows.values()]
        unread = self._reader.unread
        found, calendars = await read_places(self._ports, self._context, ids, unread, met=met)
        for row in rows.values():
            unread.locate(row.source_id, row.start_at)
        gone = [row for row in rows.values() if row.source_id not in found and not self._matcher.is_open(row)]
        events = believed(self._context, rows, found, calendars)
        places = await self._taking_over.moved(rows, events, met)
        async with self._turn.session() as session:
            # It moved to a calendar that another configuration reads. That configuration has it now.
            for key in await self._taking_over.give(session, rows, places) if places else ():
                del events[key], rows[key]
            # It moved to a later time and left its row behind. At the new time it is a new event.
            left = {key: events.pop(key) for key in await self._reader.left_behind(session, events, rows)}
            if anew and left:
                events |= left
                await self._drafter.add_map_rows(session, left)
                rows |= await self._context.archived_events(session).by_keys(list(left))
            return rows, await self._reader.shown(session, events, rows), gone

    async def _carry_out_by_id(
        self,
        decisions: list[Decision],
        reads: dict[str, ReadEvent],
        rows: dict[str, MapRow],
        gone: list[MapRow],
    ) -> None:
        events = {key: read.event for key, read in reads.items()}
        self._writer.note_private(events)
        needing = self._writer.needing_bodies(decisions)
        attachments = await self._drafter.count_attachments([events[key] for key in needing])
        # An event that waits without a copy belongs to the window in which it starts now.
        starts = {
            d.source_key: self._context.owning_start(events[d.source_key])
            for d in decisions
            if isinstance(d, Consume | LeaveOut | Flag)
        }
        async with self._turn.session() as session:
            await self._writer.carry_out(session, decisions, Material(events, rows, attachments))
            await self._context.archived_events(session).move(starts, self._ports.clock.now())
            await self._mark_deleted(session, gone)

    async def _mark_deleted(self, session: AsyncSession, gone: list[MapRow]) -> None:
        """Record that the source is gone. The copy stays (domain.md 2.4)."""
        now = self._ports.clock.now()
        keys = [row.source_key for row in gone]
        # An earlier reading of this run was stale, or showed what was deleted since.
        forgotten = await self._context.identities(session).forget_entered(self._context.run_id, keys)
        ids = [row.id for row in gone if row.id not in forgotten]
        if not ids:
            return
        await self._context.archived_events(session).set_state(ids, ArchivedEventState.SOURCE_DELETED, now)
        await AppointmentRepository(session).mark_source_deleted(self._context.owner_id, ids, now)
        self.source_deleted += len(ids)
        await self._ports.audit.record(
            session,
            action="appointment.source_deleted",
            resource_type="archive_run",
            resource_id=str(self._context.run_id),
            outcome="success",
            changes={"archived_events": [str(i) for i in ids]},
            on_behalf_of=self._context.owner_id,
        )

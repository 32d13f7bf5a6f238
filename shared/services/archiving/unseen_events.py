"""What no page of the window showed: heirs, vanished events, failed writes, events to keep though gone."""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.appointments.appointments import AppointmentRepository
from shared.database.repositories.archiving.archived_events import MapRow
from shared.domain.planning.archive_plan import Decided, Decision, Planner
from shared.domain.planning.decision import (
    Consume,
    Create,
    Flag,
    Heir,
    LeaveOut,
    Update,
    applied_modifications,
    compare_again,
)
from shared.domain.planning.read_event import ReadEvent
from shared.domain.runs.archived_event import ArchivedEventState
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.archiving.decisions import DecisionWriter
from shared.services.archiving.drafting import OperationDrafter, applied_revision
from shared.services.archiving.matching import SourceMatcher
from shared.services.archiving.plan_turn import PlanTurn
from shared.services.archiving.read_page import ReadPage, known_event
from shared.services.archiving.source_lookup import believed, read_places
from shared.services.archiving.source_reading import SourceReader, Whereabouts
from shared.services.archiving.superseding import show_consumed_free
from shared.services.archiving.taking_over import TakingOver

RETRY_FAILED_FOR = timedelta(days=30)
_CHUNK = 200
# Read only the keys first. There are nearly always none.
_KEYS = 1000


type Heirs = dict[str, Heir]
"""Decisions by key that are made again when it is known what became of a former key (domain.md 2.9)."""


@dataclass(slots=True)
class UnseenEvents:
    """Reads events by id, after the pages, decides for each alone, materialises and writes.

    Each step returns the heirs among its decisions.
    """

    _ports: ArchivingPorts
    _turn: PlanTurn
    _context: RunContext
    _open_keys: frozenset[str]
    _planner: Planner
    _drafter: OperationDrafter
    _reader: SourceReader
    _writer: DecisionWriter
    _matcher: SourceMatcher
    #: How many events of copies turned out to be deleted.
    source_deleted: int = 0
    #: How many rows of the window no page shows.
    rows: int = 0

    async def read_bodies(self, bodiless: Mapping[str, Create | Update | Flag]) -> Heirs:
        """Carry out decisions whose body was not kept, as of a modification of an archived meeting."""
        keys = sorted(bodiless)
        heirs: Heirs = {}
        for start in range(0, len(keys), _CHUNK):
            heirs |= await self._complete({key: bodiless[key] for key in keys[start : start + _CHUNK]})
        return heirs

    async def _complete(self, decisions: dict[str, Create | Update | Flag]) -> Heirs:
        rows, reads, gone = await self._read_by_id(list(decisions))
        for decision in decisions.values():
            self._writer.take_back(decision)
        standing: list[Decision] = []
        for key, read in reads.items():
            decision = decisions[key]
            as_planned = applied_revision(read.event, applied_modifications(decision)) == decision.revision
            # Changed since its page was read. Decide it alone now; the next run sees it with the others.
            again = self._decide_again(rows[key], read)
            keeps = as_planned or isinstance(decision, Flag)
            standing.append(decision if keeps else replace(again, margin=decision.margin))
        return await self._carry_out_by_id(standing, reads, rows, gone)

    def _decide_again(self, row: MapRow, event: ReadEvent) -> Decision:
        """Decide again for an event whose row now belongs to another event."""
        planner = Planner(self._context.window, self._context.mode, self._context.policies)
        return planner.decide_single(event, known_event(row))

    def _decide_heir(self, decided: Heir, row: MapRow, event: ReadEvent) -> Decision:
        """Compare the first decision, with its modifications, with the row as it is now.

        If the heir now has the copy, it is archived already. Without a copy, it waits until its overlap is
        resolved (5.3). If the event changed since, it is decided alone. The next run sees it together with
        the others.
        """
        if isinstance(decided, LeaveOut):
            # What is archived stays archived, whatever else takes its time (5.9).
            alone = row.copy_id is None
            return replace(decided, formerly=None) if alone else self._decide_again(row, event)
        if applied_revision(event.event, applied_modifications(decided)) != decided.revision:
            return self._decide_again(row, event)
        if isinstance(decided, Flag) and row.copy_id is None:
            return replace(decided, formerly=None)
        return compare_again(decided, known_event(row), self._context.mode)

    async def hand_over(self, heirs: Heirs) -> bool:
        """Give copies to duplicates that an overlap would leave out. Whether to read the pages once more.

        What is archived stays archived (5.9), and may make others wait. So the overlap is decided again.
        """
        given = False
        for heir_key, decided in sorted(heirs.items()):
            former_key = decided.formerly
            if not isinstance(decided, LeaveOut) or former_key is None or former_key in self._planner.seen:
                continue
            if not self._open_keys.isdisjoint((heir_key, former_key)):
                continue
            async with self._turn.session() as session:
                rows = await self._context.archived_events(session).by_keys([heir_key, former_key])
            heir, former = rows.get(heir_key), rows.get(former_key)
            if heir is None or former is None or former.copy_id is None:
                continue
            if await self._reader.standing_of(self._turn, former) is Whereabouts.LEFT:
                given |= await self._stand_in(former, heir)
        return given

    async def inherit(self, heirs: Heirs) -> Heirs:
        """Duplicates take over the copy of a representative that is not among them any more."""
        others: Heirs = {}
        for heir_key, decided in sorted(heirs.items()):
            former_key = decided.formerly
            if former_key is None:
                continue
            async with self._turn.session() as session:
                rows = await self._context.archived_events(session).by_keys([heir_key, former_key])
            heir, former = rows.get(heir_key), rows.get(former_key)
            if heir is None:
                continue
            if former is not None and former_key not in self._planner.seen:
                standing = await self._reader.standing_of(self._turn, former)
                if standing is Whereabouts.UNKNOWN:
                    # The representative may still stand in for this event, or may have left its copy to it.
                    self._writer.keep_merged(decided, former_key)
                    continue
                if standing is Whereabouts.LEFT:
                    await self._stand_in(former, heir)
            async with self._turn.session() as session:
                await self._context.archived_events(session).separate([heir_key], self._ports.clock.now())
            others |= await self._decide_by_id([heir_key], heir=decided)
        return others

    async def _stand_in(self, former: MapRow, heir: MapRow) -> bool:
        """The heir takes over the copy, or waits in the place of what waited without one.

        A copy that its owner is asked about stays. The heir, which differs by now, is archived alone.
        Returns whether it took over the copy.
        """
        if former.copy_id is not None:
            if self._matcher.doubts.asks_about(former):
                return False
            await self._matcher.take_over(former, heir)
            return True
        async with self._turn.session() as session:
            await self._context.overlaps(session).forget_records([former.source_key])
        return False

    async def find_vanished(self) -> Heirs:
        """Rows of the window that no page showed: gone, or moved (domain.md 2.4)."""
        window = self._context.window
        after: tuple[datetime, str] | None = None
        heirs: Heirs = {}
        while True:
            async with self._turn.session() as session:
                rows = await self._context.archived_events(session).keys_in_window(
                    window.start, window.end, _KEYS, after
                )
            unseen = [key for _, key in rows if key not in self._planner.seen]
            self.rows += len(unseen)
            for first in range(0, len(unseen), _CHUNK):
                heirs |= await self._decide_by_id(unseen[first : first + _CHUNK])
            if len(rows) < _KEYS:
                return heirs
            after = rows[-1]

    async def retry_failed(self) -> Heirs:
        """Writes that failed in the last 30 days and are not in this window (domain.md 2.2)."""
        since = self._ports.clock.now() - RETRY_FAILED_FOR
        async with self._turn.session() as session:
            rows = await self._context.archived_events(session).pending_outside(
                self._context.window.start, self._context.window.end, since, _CHUNK
            )
        keys = [row.source_key for row in rows if row.source_key not in self._planner.seen]
        return await self._decide_by_id(keys)

    async def keep_though_gone(self, session: AsyncSession) -> None:
        """Archive as recorded what waited for a decision and vanished from the source (5.8)."""
        records = await self._context.overlaps(session).gone_but_kept(_CHUNK)
        records = {
            key: copy.replace(record, source_gone=True)
            for key, record in records.items()
            if key not in self._open_keys
        }
        if not records:
            return
        rows = await self._context.archived_events(session).by_keys(list(records))
        await self._writer.write_recorded(session, self._drafter.recorded(records, rows))

    async def _decide_by_id(self, keys: list[str], *, heir: Heir | None = None) -> Heirs:
        """Read events by id and decide each one alone. Only a 404 proves that an event is gone."""
        if not keys:
            return {}
        rows, reads, gone = await self._read_by_id(keys, anew=heir is not None)
        decisions = [
            self._decide_heir(heir, rows[key], read)
            if heir is not None
            else self._planner.decide_single(read, known_event(rows[key]))
            for key, read in reads.items()
        ]
        return await self._carry_out_by_id(decisions, reads, rows, gone)

    async def _read_by_id(
        self, keys: list[str], *, anew: bool = False
    ) -> tuple[dict[str, MapRow], dict[str, ReadEvent], list[MapRow]]:
        """The rows of these keys, their events, and the rows whose source is gone (2.4).

        An event that left its row behind gets a new row with ``anew``, else when its new time is planned.
        """
        async with self._turn.session() as session:
            rows = await self._context.archived_events(session).by_keys(keys)
        met = {row.source_id for key, row in rows.items() if key in self._reader.met}
        ids = [row.source_id for row in rows.values()]
        unread = self._reader.unread
        found, calendars = await read_places(self._ports, self._context, ids, unread, met=met)
        for row in rows.values():
            unread.locate(row.source_id, row.start_at)
        gone = [row for row in rows.values() if row.source_id not in found and not self._matcher.is_open(row)]
        events = believed(self._context, rows, found, calendars)
        taking_over = TakingOver(self._ports, self._context)
        places = await taking_over.moved(rows, events, met)
        async with self._turn.session() as session:
            # It moved to a calendar that another configuration reads. That configuration has it now.
            for key in await taking_over.give(session, rows, places) if places else ():
                del events[key], rows[key]
            # It moved to a later time and left its row behind. At the new time it is a new event.
            left = {key: events.pop(key) for key in await self._reader.left_behind(session, events, rows)}
            if anew and left:
                events |= left
                await self._reader.enter(session, left)
                rows |= await self._context.archived_events(session).by_keys(list(left))
            for row in await self._withdrawn(session, [rows[key] for key in events], calendars):
                del events[row.source_key]
                gone.append(row)
            return rows, await self._reader.shown(session, events, rows), gone

    async def _withdrawn(
        self, session: AsyncSession, rows: Iterable[MapRow], calendars: Mapping[str, str | None]
    ) -> list[MapRow]:
        """New events that waited, not for an overlap, and went where nobody archives (domain.md 2.16)."""
        here = (None, self._context.source_calendar_id)
        away = [row for row in rows if calendars.get(row.source_id) not in here]
        bare = [row for row in away if row.state is ArchivedEventState.FLAGGED and not row.had_copy]
        kept = await self._context.overlaps(session).recorded([row.source_key for row in bare])
        return [row for row in bare if row.source_key not in kept or self._matcher.doubts.asks_of(row)]

    async def _carry_out_by_id(
        self,
        decisions: list[Decision],
        reads: dict[str, ReadEvent],
        rows: dict[str, MapRow],
        gone: list[MapRow],
    ) -> Heirs:
        """Materialise and write."""
        decided = Decided(decisions, [], frozenset())
        material = await self._drafter.gather(ReadPage(reads, rows, known={}), decided)
        drafted = self._drafter.draft(decided, material)
        # An event that waits without a copy belongs to the window in which it starts now.
        starts = {
            each.source_key: self._context.window.owning_start(material.events[each.source_key])
            for each in decisions
            if isinstance(each, Consume | LeaveOut | Flag)
        }
        async with self._turn.session() as session:
            await self._writer.write(session, drafted)
            await show_consumed_free(session, self._context, self._drafter, drafted.aside)
            await self._context.archived_events(session).move(starts, self._ports.clock.now())
            await self._mark_deleted(session, gone)
        return drafted.heirs

    async def _mark_deleted(self, session: AsyncSession, gone: list[MapRow]) -> None:
        """Record that the source is gone. The copy stays (domain.md 2.4)."""
        now = self._ports.clock.now()
        keys = [row.source_key for row in gone]
        # An earlier reading of this run was stale, or showed what was deleted since.
        forgotten = await self._context.identities(session).forget_entered(self._context.run_id, keys)
        ids = [row.id for row in gone if row.id not in forgotten]
        if not ids:
            return
        # Its owner was asked whether it is a meeting that has a copy. No overlap brings it back (2.16).
        asked = [row.source_key for row in gone if self._matcher.doubts.asks_of(row)]
        await self._context.overlaps(session).forget_records(asked)
        await self._context.archived_events(session).set_state(ids, ArchivedEventState.SOURCE_DELETED, now)
        await AppointmentRepository(session).mark_source_deleted(self._context.owner_id, ids, now)
        self.source_deleted += len(ids)
        await self._ports.audit.record(
            session,
            "appointment.source_deleted",
            "archive_run",
            self._context.run_id,
            {"archived_events": [str(i) for i in ids]},
            on_behalf_of=self._context.owner_id,
        )

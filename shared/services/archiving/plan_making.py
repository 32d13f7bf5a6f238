"""Makes one plan: reads the pages of the window, then what no page showed (design.md, Plan)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.appointments.appointments import AppointmentRepository
from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.database.repositories.archiving.archived_events import MapRow
from shared.domain.events.source_event import SourceEvent
from shared.domain.planning.archive_plan import Action, Decision, KnownEvent, Planner
from shared.domain.planning.read_event import ReadEvent
from shared.domain.runs.archive_run import RunKind
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.runs.run_progress import RunStep, planning_percent
from shared.errors import StoreRefused
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.archiving.decisions import DecisionWriter, Material, PlanWatch
from shared.services.archiving.drafting import OperationDrafter, applied_revision, needs_body
from shared.services.archiving.matching import SourceMatcher, known_event
from shared.services.archiving.overlap_keeping import OverlapKeeper
from shared.services.archiving.plan_counts import PlanCounts
from shared.services.archiving.plan_questions import PlanQuestions
from shared.services.archiving.plan_turn import PlanTurn
from shared.services.archiving.source_lookup import believed, read_places
from shared.services.archiving.taking_over import TakingOver
from shared.services.archiving.unread_events import named, partners

RETRY_FAILED_FOR = timedelta(days=30)
_CHUNK = 200
_KEYS = 1000
_FLAGGED = ArchivedEventState.FLAGGED
_WAITING = (Action.CONSUME, Action.LEAVE_OUT, Action.FLAG)


class PlanMaking:
    """Reads, decides and stores. Its memory stays small, however large the window is."""

    def __init__(
        self,
        ports: ArchivingPorts,
        turn: PlanTurn,
        context: RunContext,
        open_keys: frozenset[str],
        overlap_expiry: timedelta,
        matcher: SourceMatcher,
        watch: PlanWatch | None = None,
    ) -> None:
        self._ports = ports
        self._turn = turn
        self._context = context
        self._open_keys = open_keys
        self._planner = Planner(context.window, context.mode, context.policies, matcher.released)
        self._taking_over = TakingOver(ports, context)
        self._drafter = OperationDrafter(ports, context)
        self._questions = PlanQuestions(ports, context, overlap_expiry, matcher, self._drafter, open_keys)
        self._reader = self._questions.reader
        self._keeper = OverlapKeeper(ports, context, overlap_expiry)
        self._writer = DecisionWriter(ports, context, self._drafter, self._keeper, open_keys, watch)
        self._matcher = matcher
        self._source_deleted = 0
        #: The number of rows of the window that no page shows.
        self.unseen = 0
        self._archive_checked = False

    async def run(self, *, last: bool) -> PlanCounts | None:
        """Read the pages, then the rest: heirs, vanished and failed events, and events to keep though gone.

        Returns None if rows were given to new events. Then another PlanMaking must read the pages again,
        unless this is the ``last``. Raises StoreRefused, NotFound and StoreUnavailable if source or archive
        cannot be read.
        """
        backfill = self._context.kind is RunKind.BACKFILL
        read_at = self._ports.clock.now()
        async with self._turn.session() as session:
            await self._questions.begin(session)
        await self._read_pages(check=not backfill)
        matched = not last and await self._matcher.match(self._reader)
        if not last and (await self._hold_partners() or matched):
            return None
        if not last and await self._questions.pair(self._turn):
            return None
        decisions = self._planner.close()
        if not last and await self._matcher.release(self._planner.presumed, self._reader):
            return None
        async with self._turn.session() as session:
            await self._writer.carry_out(session, decisions, Material(), self._planner.take_groups())
            await self._context.operations(session).discard_rest(self._context.run_id)
        await self._read_bodies()
        await self._inherit()
        await self._vanished()
        if not backfill:
            await self._failed_before()
        async with self._turn.session() as session:
            held = {str(group_id) for group_id in self._matcher.held.values()}
            await self._keeper.finish(session, self._planner.vanished_groups - held)
            await self._kept_though_gone(session)
            await self._questions.keep(session)
        return self._counted(read_at)

    async def _hold_partners(self) -> bool:
        """Leave events that overlap an unreadable one as they were decided (2.12). Whether any is new."""
        if not self._reader.unread:
            return False
        async with self._turn.session() as session:
            found = await partners(session, self._context, self._reader.unread, self._reader.has_met)
        new = found.keys() - self._matcher.held.keys()
        self._matcher.held |= found
        return bool(new)

    async def _read_pages(self, *, check: bool) -> None:
        pages = self._ports.calendars.in_tenant(self._context.tenant_id).read_window(
            self._context.source_mailbox,
            self._context.source_calendar_id,
            *self._context.window.read_range,
            self._reader.unread,
        )
        async with aclosing(pages):
            page = await self._first_page(pages, check=check)
            while page is not None:
                # A backfill's month without events costs one read (domain.md 2.14).
                if page and not self._archive_checked:
                    await self._check_archive_calendar()
                await self._page(page)
                page = await anext(pages, None)

    def _counted(self, read_at: datetime) -> PlanCounts:
        findings = self._planner.findings
        counts: dict[str, Any] = dict(self._writer.counts)
        return PlanCounts(
            source_deleted=self._source_deleted,
            zones_reported=self._drafter.zones_reported,
            repointed=self._matcher.repointed,
            series_questions=self._questions.asked_about_series,
            ambiguous=self._matcher.ambiguous,
            overlaps_resolved=findings.overlaps_resolved,
            overlaps_flagged=findings.overlaps_flagged,
            overlaps_recorded=findings.overlaps_recorded,
            modifications_applied=findings.modifications_applied,
            orphan_modifications=findings.orphan_modifications,
            category_issues=findings.category_issues,
            # An earlier attempt may have added some of them to the map.
            new_category_issues=findings.new_category_issues
            if self._turn.first
            else findings.category_issues,
            private=dict(self._writer.private_counts),
            read_at=read_at.isoformat(),
            **(counts | named(self._reader.unread, self._context.window, counts)),
        )

    async def _first_page(
        self, pages: AsyncGenerator[list[SourceEvent]], *, check: bool
    ) -> list[SourceEvent] | None:
        """The first page, read while the archive calendar is checked. None if that calendar is gone."""
        if not check:
            return await anext(pages, None)
        # Both are awaited before an error is raised, so that no read continues in the background.
        checked, page = await asyncio.gather(
            self._check_archive_calendar(), anext(pages, None), return_exceptions=True
        )
        for outcome in (checked, page):
            if isinstance(outcome, BaseException):
                raise outcome
        assert page is None or isinstance(page, list)  # noqa: S101 - narrows what gather returns
        return page

    async def _check_archive_calendar(self) -> None:
        self._archive_checked = True
        calendar = await self._ports.calendars.in_tenant(self._context.tenant_id).get_calendar(
            self._context.archive_mailbox, self._context.archive_calendar_id
        )
        if calendar is None:
            raise StoreRefused(
                "the archive calendar does not exist any more",
                answered=404,
                reason="calendar_gone",
            )

    async def _page(self, page: list[SourceEvent]) -> None:
        async with self._turn.session() as session:
            read = await self._reader.take(session, page)
            overlaps = await self._keeper.known(session, list(read.reads))
            flagged = [key for key in overlaps if (row := read.rows.get(key)) and row.state is _FLAGGED]
            # An event stays new if it was flagged by a plan that stopped before it matched anything.
            unmatched = await self._context.identities(session).of_broken_plans(flagged)
        self._matcher.note(read.reads, read.rows, overlaps.keys() - unmatched, self._reader)
        events, rows = read.events, read.rows
        self._writer.note_private(events)
        fresh = {
            key: event
            for key, event in events.items()
            if key not in rows and self._context.window.owns(event)
        }
        known = {
            key: seen for key, row in rows.items() if (seen := known_event(row, self._open_keys)) is not None
        }
        waiting = self._planner.undecided
        decisions = self._planner.feed(list(read.reads.values()), known, overlaps)
        groups = self._planner.take_groups()
        for decision in decisions:
            # It moved while the pages were read. It is decided as an earlier page showed it.
            event = events.get(decision.source_key) if decision.source_key in waiting else None
            if event and applied_revision(event, decision.modifications) != decision.revision:
                del events[decision.source_key]
        held = self._held(decisions, events, known)
        bodies = [events[key] for key in self._writer.needing_bodies(decisions) if key in events]
        attachments = await self._drafter.count_attachments([*bodies, *held.values()])
        async with self._turn.session() as session:
            rows |= await self._drafter.add_map_rows(
                session, {k: e for k, e in fresh.items() if k not in rows}
            )
            await self._drafter.add_drafts(session, held, rows, attachments)
            await self._writer.carry_out(session, decisions, Material(events, rows, attachments), groups)
            await self._tell_progress(session, page)

    async def _tell_progress(self, session: AsyncSession, page: list[SourceEvent]) -> None:
        window = self._context.window
        if page:
            fraction = (page[-1].start - window.start) / (window.end - window.start)
            runs = ArchiveRunRepository(session)
            await runs.enter_step(self._context.run_id, RunStep.PLANNING, planning_percent(fraction))

    def _held(
        self, decisions: list[Decision], events: dict[str, SourceEvent], known: dict[str, KnownEvent]
    ) -> dict[str, SourceEvent]:
        """Events of the page whose bodies a later decision will probably need."""
        undecided = self._planner.undecided - {decision.source_key for decision in decisions}
        return {
            key: event
            for key, event in events.items()
            if key in undecided
            and key not in self._open_keys
            and needs_body(known.get(key), event, self._context.mode)
        }

    async def _read_bodies(self) -> None:
        """Carry out decisions whose body was not kept, as of a modification of an archived meeting."""
        bodiless = self._writer.bodiless
        keys = sorted(bodiless)
        for start in range(0, len(keys), _CHUNK):
            await self._complete({key: bodiless[key] for key in keys[start : start + _CHUNK]})
        bodiless.clear()

    async def _complete(self, decisions: dict[str, Decision]) -> None:
        rows, reads, gone = await self._read_by_id(list(decisions))
        for decision in decisions.values():
            self._writer.take_back(decision)
        standing: list[Decision] = []
        for key, read in reads.items():
            decision = decisions[key]
            as_planned = applied_revision(read.event, decision.modifications) == decision.revision
            # Changed since its page was read. Decide it alone now; the next run sees it with the others.
            again = self._drafter.decide_again(rows[key], read, self._context.mode)
            keeps = as_planned or decision.action is Action.FLAG
            standing.append(decision if keeps else replace(again, margin=decision.margin))
        await self._carry_out_by_id(standing, reads, rows, gone)

    async def _inherit(self) -> None:
        """Duplicates take over the copy of a representative that is not among them any more."""
        for heir_key, (former_key, decided) in sorted(self._writer.heirs.items()):
            async with self._turn.session() as session:
                rows = await self._context.archived_events(session).by_keys([heir_key, former_key])
            heir, former = rows.get(heir_key), rows.get(former_key)
            if heir is None:
                continue
            if former is not None and former.copy_id is not None and not self._planner.has_seen(former_key):
                gone = await self._matcher.are_gone([former])
                if self._matcher.is_open(former):
                    # The representative may still exist and stand in for this event.
                    self._writer.keep_merged(decided)
                    continue
                if former_key in gone or await self._reader.has_left(self._turn, former):
                    await self._matcher.take_over(former, heir)
            async with self._turn.session() as session:
                await self._context.archived_events(session).separate([heir_key], self._ports.clock.now())
            await self._decide_by_id([heir_key], heir=decided)

    async def _vanished(self) -> None:
        """Rows of the window that no page showed: gone, or moved (domain.md 2.4)."""
        window = self._context.window
        after: tuple[datetime, str] | None = None
        while True:
            async with self._turn.session() as session:
                rows = await self._context.archived_events(session).keys_in_window(
                    window.start, window.end, _KEYS, after
                )
            unseen = [key for _, key in rows if not self._planner.has_seen(key)]
            self.unseen += len(unseen)
            for first in range(0, len(unseen), _CHUNK):
                await self._decide_by_id(unseen[first : first + _CHUNK])
            if len(rows) < _KEYS:
                return
            after = rows[-1]

    async def _failed_before(self) -> None:
        """Writes that failed in the last 30 days and are not in this window (domain.md 2.2)."""
        since = self._ports.clock.now() - RETRY_FAILED_FOR
        async with self._turn.session() as session:
            rows = await self._context.archived_events(session).pending_outside(
                self._context.window.start, self._context.window.end, since, _CHUNK
            )
        await self._decide_by_id(
            [row.source_key for row in rows if not self._planner.has_seen(row.source_key)]
        )

    async def _kept_though_gone(self, session: AsyncSession) -> None:
        """Archive as recorded what waited for a decision and vanished from the source (5.8)."""
        records = await self._context.overlaps(session).gone_but_kept(_CHUNK)
        records = {key: record for key, record in records.items() if key not in self._open_keys}
        if not records:
            return
        rows = await self._context.archived_events(session).by_keys(list(records))
        await self._drafter.add_recorded(session, records, rows)
        self._writer.counts["source"] += len(records)
        self._writer.counts["planned"] += len(records)

    async def _decide_by_id(self, keys: list[str], *, heir: Decision | None = None) -> None:
        """Read events by id and decide each one alone. Only a 404 proves that an event is gone."""
        if not keys:
            return
        rows, reads, gone = await self._read_by_id(keys)
        decisions = [
            self._drafter.decide_heir(heir, rows[key], read, self._context.mode)
            if heir is not None
            else self._planner.decide_single(read, known_event(rows[key]))
            for key, read in reads.items()
        ]
        await self._carry_out_by_id(decisions, reads, rows, gone)

    async def _read_by_id(
        self, keys: list[str]
    ) -> tuple[dict[str, MapRow], dict[str, ReadEvent], list[MapRow]]:
        """The rows of these keys, their events, and the rows whose source is gone (2.4)."""
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
            for key in await self._reader.left_behind(session, events, rows):
                del events[key]
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
            if d.action in _WAITING
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
        self._source_deleted += len(ids)
        await self._ports.audit.record(
            session,
            action="appointment.source_deleted",
            resource_type="archive_run",
            resource_id=str(self._context.run_id),
            outcome="success",
            changes={"archived_events": [str(i) for i in ids]},
            on_behalf_of=self._context.owner_id,
        )

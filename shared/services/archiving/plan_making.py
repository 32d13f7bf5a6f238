"""Makes one plan: reads the pages of the window, then what no page showed (design.md, Plan)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.domain.events.source_event import SourceEvent
from shared.domain.planning.archive_plan import Decision, KnownEvent, Planner
from shared.domain.planning.decision import applied_modifications
from shared.domain.runs.archive_run import RunKind
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.runs.run_progress import RunStep, planning_percent
from shared.errors import StoreRefused, Unavailable
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.archiving.decisions import DecisionWriter, Material, PlanWatch
from shared.services.archiving.drafting import OperationDrafter, applied_revision, needs_body
from shared.services.archiving.matching import SourceMatcher, known_event
from shared.services.archiving.overlap_keeping import OverlapKeeper
from shared.services.archiving.plan_counts import PlanCounts
from shared.services.archiving.plan_questions import PlanQuestions
from shared.services.archiving.plan_turn import PlanTurn
from shared.services.archiving.unread_events import named, partners
from shared.services.archiving.unseen_events import PlanParts, UnseenEvents

_FLAGGED = ArchivedEventState.FLAGGED


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
        self._drafter = OperationDrafter(ports, context)
        self._questions = PlanQuestions(ports, context, overlap_expiry, matcher, self._drafter, open_keys)
        self._reader = self._questions.reader
        self._keeper = OverlapKeeper(ports, context, overlap_expiry)
        self._writer = DecisionWriter(ports, context, self._drafter, self._keeper, open_keys, watch)
        self._matcher = matcher
        self._unseen = UnseenEvents(
            PlanParts(
                ports,
                turn,
                context,
                open_keys,
                self._planner,
                self._drafter,
                self._reader,
                self._writer,
                matcher,
            )
        )
        self._archive_checked = False

    async def run(self, *, last: bool) -> PlanCounts | None:
        """Read the pages, then the rest: heirs, vanished and failed events, and events to keep though gone.

        Returns None if rows were given to new events. Then another PlanMaking must read the pages again,
        unless this is the ``last``. Raises StoreRefused, NotFound and StoreUnavailable if source or archive
        cannot be read, and Unavailable if the last reading still gives rows to new events.
        """
        backfill = self._context.kind is RunKind.BACKFILL
        read_at = self._ports.clock.now()
        async with self._turn.session() as session:
            await self._questions.begin(session)
        await self._read_pages(check=not backfill)
        matched = (not last or self._turn.patient) and await self._matcher.match(self._reader)
        if last and matched:
            raise Unavailable("The calendar shows something else at each reading. The plan is tried again.")
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
        await self._unseen.read_bodies()
        await self._unseen.inherit()
        await self._unseen.find_vanished()
        if not backfill:
            await self._unseen.retry_failed()
        # A merged event that no page shows may have moved out of the window, away from its representative.
        await self._unseen.inherit()
        async with self._turn.session() as session:
            held = {str(group_id) for group_id in self._matcher.held.values()}
            await self._keeper.finish(session, self._planner.vanished_groups - held)
            await self._unseen.keep_though_gone(session)
            await self._questions.keep(session)
        return self._counted(read_at)

    @property
    def unseen(self) -> int:
        """The number of rows of the window that no page shows."""
        return self._unseen.rows

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
            source_deleted=self._unseen.source_deleted,
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
            # A group that nobody decides makes no event wait.
            undecided = {key for key, group in overlaps.items() if group.waiting or group.decided}
            flagged = [key for key in undecided if (row := read.rows.get(key)) and row.state is _FLAGGED]
            # An event stays new if it was flagged by a plan that stopped before it matched anything.
            unmatched = await self._context.identities(session).of_broken_plans(flagged)
        self._matcher.note(read.reads, read.rows, undecided - unmatched, self._reader)
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
            if event and applied_revision(event, applied_modifications(decision)) != decision.revision:
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

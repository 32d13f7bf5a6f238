"""Makes one plan: reads the pages of the window, then what no page showed (design.md, Plan)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.domain.events.source_event import SourceEvent
from shared.domain.planning.archive_plan import Decided, Planner
from shared.domain.planning.decision import Create, Flag, Heir, Update
from shared.domain.planning.overlaps import PlannedGroup
from shared.domain.runs.archive_run import RunKind
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.runs.plan_counts import PlanCounts
from shared.domain.runs.run_progress import RunStep, planning_percent
from shared.domain.runs.unread import UnreadEvents
from shared.errors import StoreRefused, Unavailable
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.archiving.decisions import DecisionWriter, PlanWatch
from shared.services.archiving.drafting import Material, OperationDrafter
from shared.services.archiving.matching import SourceMatcher
from shared.services.archiving.overlap_keeping import OverlapKeeper
from shared.services.archiving.plan_questions import PlanQuestions
from shared.services.archiving.plan_turn import PlanTurn
from shared.services.archiving.read_page import ReadPage
from shared.services.archiving.source_reading import SourceReader
from shared.services.archiving.superseding import show_consumed_free
from shared.services.archiving.unread_events import named, partners
from shared.services.archiving.unseen_events import UnseenEvents

_FLAGGED = ArchivedEventState.FLAGGED


class PlanMaking:
    """Hands each page from step to step: read, decide, materialise, write (design.md, Plan).

    Each step takes and returns values, and knows no other step. Its memory stays small, however large the
    window is.
    """

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
        self._watch = watch
        self._planner = Planner(context.window, context.mode, context.policies, matcher.released)
        self._drafter = OperationDrafter(ports, context, open_keys)
        self._questions = PlanQuestions(ports, context, overlap_expiry, matcher, self._drafter, open_keys)
        self._keeper = OverlapKeeper(ports, context, overlap_expiry)
        self._writer = DecisionWriter(ports, context, open_keys, watch)
        self._matcher = matcher
        self._waiting: frozenset[str] = frozenset()
        self._heirs: dict[str, Heir] = {}
        self._bodiless: dict[str, Create | Update | Flag] = {}
        #: Decided groups that new events reopen, if these match no member that is gone.
        self._reopening: list[PlannedGroup] = []
        self._archive_checked = False
        #: The number of rows of the window that no page shows.
        self.unseen = 0

    async def run(self, *, last: bool) -> PlanCounts | None:
        """Read the pages, then the rest: heirs, vanished and failed events, and events to keep though gone.

        Returns None if rows were given to new events. Then another PlanMaking must read the pages again,
        unless this is the ``last``. Raises StoreRefused, NotFound and StoreUnavailable if source or archive
        cannot be read, and Unavailable if the last reading still gives rows to new events.
        """
        backfill = self._context.kind is RunKind.BACKFILL
        read_at = self._ports.clock.now()
        if last and not self._turn.patient:
            self._matcher.hold_back()
        async with self._turn.session() as session:
            reader = await self._questions.begin(session)
        await self._read_pages(reader, check=not backfill)
        matched = (not last or self._turn.patient) and await self._matcher.match(reader.met)
        if last and matched:
            raise Unavailable("The calendar shows something else at each reading. The plan is tried again.")
        if not last and (await self._hold_partners(reader) or matched):
            return None
        if not last and await self._questions.pair(self._turn, reader):
            return None
        decided = self._planner.close()
        if not last and await self._matcher.release(self._planner.presumed, reader.met):
            return None
        heirs, unseen = self._heirs | decided.heirs, self._unseen(reader)
        # No copy is kept for a changed duplicate that does not take it over (domain.md 2.9).
        if not last and self._matcher.merged.refuse(self._planner.seen, heirs):
            return None
        if not last and await unseen.hand_over(heirs):
            return None
        async with self._turn.session() as session:
            await self._keeper.store(session, self._reopening)
            await self._write(session, decided, Material())
            await self._context.operations(session).discard_rest(self._context.run_id)
        inheriting = self._heirs | await unseen.read_bodies(self._bodiless)
        later = await unseen.inherit(inheriting) | await unseen.find_vanished()
        if not backfill:
            later |= await unseen.retry_failed()
        # A merged event that no page shows may have moved out of the window, away from its representative.
        await unseen.inherit(later)
        async with self._turn.session() as session:
            held = {str(group_id) for group_id in self._matcher.held.values()}
            await self._keeper.finish(session, self._planner.vanished_groups - held)
            await unseen.keep_though_gone(session)
            await self._questions.keep(session, reader)
        self.unseen = unseen.rows
        return self._counted(read_at, reader.unread, unseen.source_deleted)

    def _unseen(self, reader: SourceReader) -> UnseenEvents:
        return UnseenEvents(
            self._ports,
            self._turn,
            self._context,
            self._open_keys,
            self._planner,
            self._drafter,
            reader,
            self._writer,
            self._matcher,
        )

    async def _hold_partners(self, reader: SourceReader) -> bool:
        """Leave events that overlap an unreadable one as they were decided (2.12). Whether any is new."""
        if not reader.unread:
            return False
        async with self._turn.session() as session:
            found = await partners(session, self._context, reader.unread, reader.met)
        new = found.keys() - self._matcher.held.keys()
        self._matcher.held |= found
        return bool(new)

    async def _read_pages(self, reader: SourceReader, *, check: bool) -> None:
        pages = self._ports.calendars.in_tenant(self._context.tenant_id).read_window(
            self._context.source_mailbox,
            self._context.source_calendar_id,
            *self._context.window.read_range,
            reader.unread,
        )
        async with aclosing(pages):
            page = await self._first_page(pages, check=check)
            while page is not None:
                # A backfill's month without events costs one read (domain.md 2.14).
                if page and not self._archive_checked:
                    await self._check_archive_calendar()
                await self._page(reader, page)
                page = await anext(pages, None)

    def _counted(self, read_at: datetime, unread: UnreadEvents, source_deleted: int) -> PlanCounts:
        findings, counts = self._planner.findings, self._writer.counts
        if not self._turn.first:
            # An earlier attempt may have added some of them to the map.
            findings = replace(findings, new_category_issues=findings.category_issues)
        return replace(
            PlanCounts.stored(counts),
            source_deleted=source_deleted,
            zones_reported=self._drafter.zones_reported,
            repointed=self._matcher.repointed,
            series_questions=self._questions.asked_about_series,
            ambiguous=self._matcher.ambiguous,
            private=dict(self._writer.private_counts),
            read_at=read_at.isoformat(),
            **asdict(findings),
            **named(unread, self._context.window, counts),
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

    async def _page(self, reader: SourceReader, page: list[SourceEvent]) -> None:
        async with self._turn.session() as session:
            read = await reader.take(session, page)
            overlaps = await self._keeper.known(session, list(read.reads))
            # A group that nobody decides makes no event wait.
            undecided = {key for key, group in overlaps.items() if group.waiting or group.decided}
            flagged = [key for key in undecided if (row := read.rows.get(key)) and row.state is _FLAGGED]
            # An event stays new if it was flagged by a plan that stopped before it matched anything.
            unmatched = await self._context.identities(session).of_broken_plans(flagged)
        read = self._matcher.note(read, undecided - unmatched)
        decided = self._planner.feed(list(read.reads.values()), read.known, overlaps)
        material = await self._drafter.gather(read, decided, self._waiting)
        self._waiting = decided.undecided
        async with self._turn.session() as session:
            entered = await reader.enter(session, self._fresh(read))
            await self._write(session, decided, replace(material, rows=read.rows | entered))
            await self._tell_progress(session, page)

    def _fresh(self, page: ReadPage) -> dict[str, SourceEvent]:
        return {
            key: read.event
            for key, read in page.reads.items()
            if key not in page.rows and self._context.window.owns(read.event)
        }

    async def _write(self, session: AsyncSession, decided: Decided, material: Material) -> None:
        if self._watch is not None:
            self._watch.grouped(decided.groups)
        reopening = [group for group in decided.groups if group.reopened and self._matcher.may_match(group)]
        self._reopening += reopening
        await self._keeper.store(session, [group for group in decided.groups if group not in reopening])
        drafted = self._drafter.draft(decided, material)
        self._bodiless |= await self._writer.write(session, drafted)
        # Their appointments are stored with their groups.
        later = {member.source_key for group in reopening for member in group.members}
        self._bodiless |= {flag.source_key: flag for flag in drafted.flags if flag.source_key in later}
        await show_consumed_free(session, self._context, self._drafter, drafted.aside)
        self._heirs |= drafted.heirs

    async def _tell_progress(self, session: AsyncSession, page: list[SourceEvent]) -> None:
        window = self._context.window
        if page:
            fraction = (page[-1].start - window.start) / (window.end - window.start)
            runs = ArchiveRunRepository(session)
            await runs.enter_step(self._context.run_id, RunStep.PLANNING, planning_percent(fraction))

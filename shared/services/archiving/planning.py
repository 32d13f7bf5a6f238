"""Plan: what a run will write, decided page by page and kept as operations (design.md, Plan)."""

from collections import Counter
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models import ArchiveRun
from shared.database.repositories.appointments import AppointmentRepository
from shared.database.repositories.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.archive_runs import ArchiveRunRepository
from shared.database.repositories.archived_events import MapRow
from shared.domain.archive_plan import Action, Decision, Planner
from shared.domain.archive_run import RunState
from shared.domain.archived_event import ArchivedEventState
from shared.domain.source_event import EventType, SourceEvent, source_key
from shared.errors import GraphRefused, NotFound, Unavailable
from shared.services.archiving.context import ArchivingPorts, RunContext, accounted, load_context
from shared.services.archiving.drafting import POLICIES, OperationDrafter, needs_write
from shared.services.archiving.matching import SourceMatcher, known_event
from shared.services.archiving.plan_turn import PlanSuperseded, PlanTurn

RETRY_FAILED_FOR = timedelta(days=30)
_CHUNK = 200


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """What planning found. ``planned`` operations are written next; ``refused`` says why nothing could be.

    ``gone``: what is to be read or written does not exist any more, so that trying again is no use.
    """

    source: int = 0
    planned: int = 0
    unchanged: int = 0
    merged: int = 0
    conflict: int = 0
    unsettled: int = 0
    source_deleted: int = 0
    repointed: int = 0
    ambiguous: int = 0
    zones_reported: int = 0
    refused: str | None = None
    gone: bool = False


class RunPlanner:
    """Plans runs; planning again what is planned returns the stored counts."""

    def __init__(self, ports: ArchivingPorts) -> None:
        self._ports = ports

    async def plan(self, run_id: UUID) -> PlanCounts:
        """Read the window, decide for every event, keep the writes as operations.

        A source or archive calendar that is gone or refused ends the plan with ``refused``: nothing is
        written then. Raises GraphUnavailable when reading failed in a way that passes, and NotFound.
        """
        async with self._ports.database.session() as session:
            context = await load_context(session, run_id)
            runs = ArchiveRunRepository(session)
            attempt = await runs.begin_plan(run_id)
            if attempt is None:
                return _stored(await runs.get_unscoped(run_id))
            await context.operations(session).clear_unsent(run_id)
            open_keys = await context.operations(session).open_keys(run_id)
        turn = PlanTurn(self._ports, run_id, attempt)
        try:
            async with accounted(self._ports, context):
                counts = await self._decide(turn, context, open_keys)
            await self._complete(turn, context, counts)
        except PlanSuperseded:
            return await self._planned_by_another(run_id)
        return counts

    async def _decide(self, turn: PlanTurn, context: RunContext, open_keys: frozenset[str]) -> PlanCounts:
        try:
            return await _Planning(self._ports, turn, context, open_keys).run()
        except GraphRefused as refused:
            return PlanCounts(
                refused=f"{refused.graph_code}: {refused.detail}", gone=refused.graph_status == 404
            )
        except NotFound as missing:
            return PlanCounts(refused=missing.detail, gone=True)

    async def _planned_by_another(self, run_id: UUID) -> PlanCounts:
        """The plan of the attempt that superseded this one, once it is complete. Raises Unavailable."""
        seconds = self._ports.settings.apply_time_budget_seconds
        deadline = self._ports.clock.now() + timedelta(seconds=seconds)
        while self._ports.clock.now() < deadline:
            async with self._ports.database.session() as session:
                run = await ArchiveRunRepository(session).get_unscoped(run_id)
                if run is None or run.planned_at is not None or RunState(run.state).terminal:
                    return _stored(run)
            await self._ports.clock.sleep(self._ports.busy_pause.total_seconds())
        raise Unavailable("Another attempt at planning the run did not end.")

    async def _complete(self, turn: PlanTurn, context: RunContext, counts: PlanCounts) -> None:
        async with turn.session() as session:
            now = self._ports.clock.now()
            if counts.refused is not None:
                await context.operations(session).clear_unsent(context.run_id)
            else:
                await ArchiveConfigurationRepository(session).set_archived_until(
                    context.owner_id,
                    context.configuration_id,
                    context.window.end,
                    covered_from=context.window.start,
                )
            await ArchiveRunRepository(session).set_planned(context.run_id, asdict(counts), now)
            await self._ports.audit.record(
                session,
                action="archive_run.planned",
                resource_type="archive_run",
                resource_id=str(context.run_id),
                outcome="failure" if counts.refused else "success",
                changes={"plan": asdict(counts)},
                on_behalf_of=context.owner_id,
            )


def _stored(run: ArchiveRun | None) -> PlanCounts:
    return PlanCounts(**(run.plan or {})) if run else PlanCounts()


class _Planning:
    """One plan in the making."""

    def __init__(
        self, ports: ArchivingPorts, turn: PlanTurn, context: RunContext, open_keys: frozenset[str]
    ) -> None:
        self._ports = ports
        self._turn = turn
        self._context = context
        self._open_keys = open_keys
        self._planner = Planner(context.window, context.mode, POLICIES)
        self._drafter = OperationDrafter(ports, context)
        self._matcher = SourceMatcher(ports, context, turn)
        self._counts: Counter[str] = Counter()
        self._heirs: dict[str, str] = {}

    async def run(self) -> PlanCounts:
        """Pages first, then what no page showed: heirs, vanished, failed before."""
        await self._check_archive_calendar()
        pages = self._ports.calendars.read_window(
            self._context.source_mailbox,
            self._context.source_calendar_id,
            *self._context.window.read_range,
        )
        async with aclosing(pages):
            async for page in pages:
                await self._page(page)
        decisions = self._planner.close()
        async with self._turn.session() as session:
            await self._carry_out(session, decisions, {}, {})
            await self._context.operations(session).discard_rest(self._context.run_id)
        await self._inherit()
        await self._vanished()
        await self._failed_before()
        counts: dict[str, Any] = dict(self._counts)
        return PlanCounts(
            zones_reported=self._drafter.zones_reported,
            repointed=self._matcher.repointed,
            ambiguous=self._matcher.ambiguous,
            **counts,
        )

    async def _check_archive_calendar(self) -> None:
        calendar = await self._ports.calendars.get_calendar(
            self._context.archive_mailbox, self._context.archive_calendar_id
        )
        if calendar is None:
            raise GraphRefused(
                "the archive calendar does not exist any more",
                graph_status=404,
                graph_code="ErrorItemNotFound",
            )

    async def _page(self, page: list[SourceEvent]) -> None:
        events = {source_key(event): event for event in page}
        async with self._turn.session() as session:
            rows = await self._context.archived_events(session).by_keys(list(events))
        fresh = {
            key: event
            for key, event in events.items()
            if key not in rows and self._context.window.owns(event)
        }
        if fresh:
            rows |= await self._matcher.repoint(fresh, alive=events.keys())
        known = {key: seen for key, row in rows.items() if (seen := known_event(row)) is not None}
        decisions = self._planner.feed(page, known)
        self._planner.take_groups()
        undecided = self._planner.undecided
        decided = {decision.source_key for decision in decisions}
        held = {
            key: event
            for key, event in events.items()
            if key in undecided
            and key not in decided
            and key not in self._open_keys
            and needs_write(rows.get(key), event, self._context.mode)
        }
        written = {
            d.source_key: events[d.source_key] for d in self._writes(decisions) if d.source_key in events
        }
        attachments = await self._drafter.count_attachments([*written.values(), *held.values()])
        async with self._turn.session() as session:
            await self._drafter.add_map_rows(session, {k: e for k, e in fresh.items() if k not in rows})
            await self._drafter.add_drafts(session, held, rows, attachments)
            await self._carry_out(session, decisions, events, rows, attachments)

    def _writes(self, decisions: list[Decision]) -> list[Decision]:
        return [
            d
            for d in decisions
            if d.action in (Action.CREATE, Action.UPDATE)
            and d.source_key not in self._open_keys
            and d.formerly is None
        ]

    async def _carry_out(
        self,
        session: AsyncSession,
        decisions: list[Decision],
        events: dict[str, SourceEvent],
        rows: dict[str, MapRow],
        attachments: dict[str, int] | None = None,
    ) -> None:
        """Turn decisions into operations and map rows; drafts of earlier pages are promoted or discarded."""
        now = self._ports.clock.now()
        archived_events = self._context.archived_events(session)
        operations = self._context.operations(session)
        self._count(decisions)
        writes = self._writes(decisions)
        here = [d for d in writes if d.source_key in events]
        await self._drafter.add_planned(session, here, events, rows, attachments or {})
        promoted = [d.source_key for d in writes if d.source_key not in events]
        kept = {d.source_key for d in writes}
        await operations.promote(self._context.run_id, promoted)
        await operations.discard(
            self._context.run_id,
            [d.source_key for d in decisions if d.source_key not in events and d.source_key not in kept],
        )
        merges = {
            d.source_key: (d.representative or "", d.revision)
            for d in decisions
            if d.action is Action.MERGE and d.changed
        }
        await archived_events.merge(merges, now)
        self._heirs |= {d.source_key: d.formerly for d in decisions if d.formerly is not None}
        reappeared = [d.source_key for d in decisions if d.action is Action.UNCHANGED and d.changed]
        back = await archived_events.set_present(reappeared, now)
        await AppointmentRepository(session).mark_source_present(self._context.owner_id, back)

    def _count(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            if decision.formerly is not None:
                continue
            self._counts["source"] += 1
            if decision.action in (Action.CREATE, Action.UPDATE):
                name = "unsettled" if decision.source_key in self._open_keys else "planned"
            elif decision.action is Action.REMOVED_BY_OWNER:
                name = "conflict"
            else:
                name = {Action.UNCHANGED: "unchanged", Action.MERGE: "merged"}[decision.action]
            self._counts[name] += 1

    async def _inherit(self) -> None:
        """Duplicates whose representative is not among them any more take over its copy if it is gone."""
        for heir_key, former_key in sorted(self._heirs.items()):
            async with self._turn.session() as session:
                rows = await self._context.archived_events(session).by_keys([heir_key, former_key])
            heir, former = rows.get(heir_key), rows.get(former_key)
            if heir is None:
                continue
            if former is not None and former.copy_id is not None and not self._planner.has_seen(former_key):
                gone = await self._matcher.are_gone([former])
                if former_key in gone:
                    await self._matcher.take_over(former, heir)
            else:
                former = None
            async with self._turn.session() as session:
                await self._context.archived_events(session).separate([heir_key], self._ports.clock.now())
            await self._decide_by_id([heir_key], planned_before=True)

    async def _vanished(self) -> None:
        """Rows of the window that no page showed: gone, or moved (domain.md 2.4)."""
        after: MapRow | None = None
        while True:
            async with self._turn.session() as session:
                rows = await self._context.archived_events(session).in_window(
                    self._context.window.start, self._context.window.end, _CHUNK, after
                )
            unseen = [row.source_key for row in rows if not self._planner.has_seen(row.source_key)]
            await self._decide_by_id(unseen)
            if len(rows) < _CHUNK:
                return
            after = rows[-1]

    async def _failed_before(self) -> None:
        """Writes that failed in the last 30 days and that no page of this window shows (domain.md 2.2)."""
        since = self._ports.clock.now() - RETRY_FAILED_FOR
        async with self._turn.session() as session:
            rows = await self._context.archived_events(session).pending_outside(
                self._context.window.start, self._context.window.end, since, _CHUNK
            )
        await self._decide_by_id(
            [row.source_key for row in rows if not self._planner.has_seen(row.source_key)]
        )

    async def _decide_by_id(self, keys: list[str], *, planned_before: bool = False) -> None:
        """Read events by id and decide for each by itself; a 404 alone says that it vanished."""
        if not keys:
            return
        async with self._turn.session() as session:
            rows = await self._context.archived_events(session).by_keys(keys)
        found = await self._ports.calendars.get_events(
            self._context.source_mailbox, None, [row.source_id for row in rows.values()]
        )
        gone: list[MapRow] = []
        decisions: list[Decision] = []
        events: dict[str, SourceEvent] = {}
        for key, row in rows.items():
            event = found.get(row.source_id)
            if event is None or event.type is EventType.SERIES_MASTER or source_key(event) != key:
                gone.append(row)
                continue
            events[key] = event
            decisions.append(
                self._drafter.decide_again(row, event, self._context.mode)
                if planned_before
                else self._planner.decide_single(event, known_event(row))
            )
        attachments = await self._drafter.count_attachments(
            [events[d.source_key] for d in self._writes(decisions)]
        )
        async with self._turn.session() as session:
            await self._carry_out(session, decisions, events, rows, attachments)
            await self._mark_deleted(session, gone)

    async def _mark_deleted(self, session: AsyncSession, gone: list[MapRow]) -> None:
        """The copy stays, the record says that its source is gone (domain.md 2.4)."""
        if not gone:
            return
        now = self._ports.clock.now()
        ids = [row.id for row in gone]
        await self._context.archived_events(session).set_state(ids, ArchivedEventState.SOURCE_DELETED, now)
        await AppointmentRepository(session).mark_source_deleted(self._context.owner_id, ids, now)
        self._counts["source_deleted"] += len(gone)
        await self._ports.audit.record(
            session,
            action="appointment.source_deleted",
            resource_type="archive_run",
            resource_id=str(self._context.run_id),
            outcome="success",
            changes={"archived_events": [str(i) for i in ids]},
            on_behalf_of=self._context.owner_id,
        )

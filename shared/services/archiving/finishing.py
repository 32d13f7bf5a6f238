"""Finish: write the run's report and name the next run (design.md, Finish; domain.md 2.12, 2.13)."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.runs import ArchiveRun
from shared.database.repositories.archiving.archive_operations import ArchiveOperationRepository
from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.database.repositories.archiving.locked_periods import LockedPeriodRepository
from shared.database.repositories.identity.users import UserRepository
from shared.database.repositories.notifications.notifications import NotificationRepository
from shared.database.repositories.overlaps.left_out_copies import LeftOutCopyRepository
from shared.domain.identity.disclosure import report_for_others
from shared.domain.jobs.job import JobKind
from shared.domain.notifications.notification import Recipient
from shared.domain.notifications.notification_texts import run_failed
from shared.domain.planning.purpose import Purpose
from shared.domain.runs.archive_run import OperationAction, OperationState, RunKind, RunMode, RunState
from shared.domain.runs.outcome import Outcome, OutcomeReport, StoredReport
from shared.domain.runs.plan_counts import PlanCounts, planned_outcomes
from shared.services.archiving.action_item_keeping import ActionItemKeeper
from shared.services.archiving.context import ArchivingPorts, RunContext, load_context
from shared.services.archiving.run_notices import EndedRun, notices_of
from shared.services.jobs.archive_locks import lock_archive
from shared.services.jobs.outcomes import JobJudgement, WorkEnded, judge_job

MAX_PROBLEMS = 1000
_log = logging.getLogger(__name__)

_OUTCOMES = {
    (OperationAction.CREATE, OperationState.DONE): Outcome.ARCHIVED,
    (OperationAction.UPDATE, OperationState.DONE): Outcome.UPDATED,
    (OperationAction.CREATE, OperationState.CONFLICT): Outcome.CONFLICT,
    (OperationAction.UPDATE, OperationState.CONFLICT): Outcome.CONFLICT,
    (OperationAction.CREATE, OperationState.LOCKED): Outcome.LOCKED,
    (OperationAction.UPDATE, OperationState.LOCKED): Outcome.LOCKED,
}

# If a write for a meeting of another window ends in one of these states, the run is not complete.
_OPEN_ENDS = (OperationState.SENT, OperationState.FAILED)


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """How a run ended, and the next queued run of the same configuration."""

    state: RunState
    next_run_id: UUID | None


class Finisher:
    """Ends runs. Ending a run twice changes nothing."""

    def __init__(self, ports: ArchivingPorts) -> None:
        self._ports = ports

    async def finish(self, run_id: UUID, reason: str | None = None) -> FinishedRun:
        """Write the report, end the run and name the next one. ``reason`` says why it could not continue.

        Operations that are still sent stay open for the next run. This report counts them as failed, because
        their effect is not known yet (design.md, Finish). Raises NotFound.
        """
        async with self._ports.database.session() as session:
            context = await load_context(session, run_id)
            await lock_archive(session, context.owner_id, context.configuration_id)
            runs = ArchiveRunRepository(session)
            now = self._ports.clock.now()
            run = await runs.get_unscoped(run_id, lock=True)
            assert run is not None  # noqa: S101 - load_context found it
            state = RunState(run.state)
            if not state.terminal:
                state = await self._end(session, context, run, reason, now)
                # What the run wrote may have ended a decision, for example by superseding a copy (5.9).
                left_out = LeftOutCopyRepository(session, context.owner_id, context.configuration_id)
                await left_out.count_again(now)
            following = await runs.next_queued(context.owner_id, context.configuration_id)
        return FinishedRun(state, following)

    async def _end(
        self, session: AsyncSession, context: RunContext, run: ArchiveRun, reason: str | None, now: datetime
    ) -> RunState:
        operations = context.operations(session)
        if run.planned_at is None:
            # Drafts of an unfinished plan are no decisions.
            await operations.clear_unsent(run.id)
        await operations.cancel_planned(run.id, now)
        plan = PlanCounts.stored(run.plan)
        report = await _report(operations, run, plan, now)
        private = await _private_outcomes(operations, run, plan)
        why = reason or plan.refused
        margins = await operations.counts(run.id, margin=True)
        broken = why is not None or any(state in _OPEN_ENDS for _, state in margins)
        # The calendar could not be read, or was never read.
        blind = plan.refused is not None or (run.planned_at is None and reason is not None)
        state = _state(report, cancelled=_stopped(run, report), broken=broken, blind=blind)
        # An event that cannot be read does not make the job fail: everything else continues (2.12).
        unread_alone = 0 < report.failed == plan.unreadable and not broken
        if state is RunState.FAILED:
            # The store's code comes first. The text after it may name mailbox content, so it is cut.
            said = (why or "").partition(":")[0]
            _log.warning("archive run %s failed: %s (%s)", run.id, plan.code or "not_planned", said)
        # Only a timesheet reveals something by whether a private event is written (domain.md 6.3).
        tells = context.policies.purpose is Purpose.TIMESHEET
        stored = StoredReport(report, why, _details(plan) | _beside(margins), private, cost_tells=tells)
        await ArchiveRunRepository(session).finish(run.id, state, stored, now)
        await ActionItemKeeper(self._ports, context).mark_carried_out(session)
        job = JobJudgement()
        # A restore or an edit that a person requested is no work of a job.
        if state is not RunState.CANCELLED and context.mode in (RunMode.NORMAL, RunMode.REPLACE):
            # A backfill's month is done once it is planned. The next nightly run finishes its writes.
            backfill = context.kind is RunKind.BACKFILL
            failed = why is not None if backfill else state.trouble and not unread_alone
            job = await self._judge_job(session, context, failed=failed, gone=plan.gone)
        # Admins and Auditors read the audit.
        await self._ports.audit.record(
            session,
            f"archive_run.{state}",
            "archive_run",
            run.id,
            {"report": report_for_others(stored.to_json())},
            on_behalf_of=context.owner_id,
            outcome="failure" if state.trouble else "success",
        )
        locked = report.locked + sum(
            count for (_, end), count in margins.items() if end is OperationState.LOCKED
        )
        # A change that stays locked is reported once.
        locks = LockedPeriodRepository(session)
        new_locked = await locks.newly_locked(context.owner_id, run.id) if locked else 0
        known = unread_alone and plan.new_unreadable == 0
        ended = EndedRun(
            state, report, run.requested_by, plan.new_category_issues, new_locked, job, known_trouble=known
        )
        await self._tell(session, context, ended, now)
        return state

    async def _tell(self, session: AsyncSession, context: RunContext, ended: EndedRun, now: datetime) -> None:
        recipient = Recipient(context.tenant_id, context.owner_id)
        notices = notices_of(context, ended)
        told = [(recipient, notice) for notice in notices]
        starter = await _starter(session, context, ended.requested_by)
        if ended.state is RunState.FAILED and starter is not None:
            failure = run_failed(context.run_id, context.window, ended.report)
            told.append((Recipient(context.tenant_id, starter), failure))
        await NotificationRepository(session).tell(told, now)

    async def _judge_job(
        self, session: AsyncSession, context: RunContext, *, failed: bool, gone: bool
    ) -> JobJudgement:
        kind = JobKind.BACKFILL if context.kind is RunKind.BACKFILL else JobKind.ARCHIVE
        ended = WorkEnded(context.owner_id, context.configuration_id, kind, context.run_id, failed, gone)
        return await judge_job(session, self._ports.audit, ended)


async def _starter(session: AsyncSession, context: RunContext, requested_by: str) -> UUID | None:
    """Our id of the person who started the run for another person, else None."""
    kind, _, object_id = requested_by.partition(":")
    if kind != "user":
        return None
    user = await UserRepository(session).get_by_object_id(context.tenant_id, UUID(object_id))
    return None if user is None or user.id == context.owner_id else user.id


async def _report(
    operations: ArchiveOperationRepository, run: ArchiveRun, plan: PlanCounts, now: datetime
) -> OutcomeReport:
    outcomes = planned_outcomes(plan.to_json())
    for kind, count in (await operations.counts(run.id, margin=False)).items():
        outcomes[_OUTCOMES.get(kind, Outcome.FAILED)] += count
    return OutcomeReport.of(
        plan.source,
        outcomes,
        overlaps_resolved=plan.overlaps_resolved,
        modifications_applied=plan.modifications_applied,
        orphan_modifications=plan.orphan_modifications,
        category_issues=plan.category_issues,
        graph_requests=run.graph_requests,
        round_trips=run.round_trips,
        seconds=round((now - (run.started_at or run.created_at)).total_seconds(), 3),
    )


async def _private_outcomes(
    operations: ArchiveOperationRepository, run: ArchiveRun, plan: PlanCounts
) -> Counter[Outcome]:
    """How many of the report's events are private. Others see them as one number (domain.md 6.3)."""
    outcomes = planned_outcomes(plan.private)
    for kind, count in (await operations.counts(run.id, margin=False, private=True)).items():
        outcomes[_OUTCOMES.get(kind, Outcome.FAILED)] += count
    return outcomes


def _details(plan: PlanCounts) -> dict[str, int]:
    """What the plan found besides the report of domain.md 2.13."""
    return {
        "overlaps_flagged": plan.overlaps_flagged,
        "overlaps_recorded": plan.overlaps_recorded,
        "source_deleted": plan.source_deleted,
        "zones_reported": plan.zones_reported,
        "repointed": plan.repointed,
        "ambiguous": plan.ambiguous,
    }


def _beside(margins: Mapping[tuple[OperationAction, OperationState], int]) -> dict[str, int]:
    """Writes that belong to no event of the run: meetings of other windows, superseded copies (2.16, 4.8)."""
    superseded = margins.get((OperationAction.SUPERSEDE, OperationState.DONE), 0)
    updates = sum(count for (action, _), count in margins.items() if action is not OperationAction.SUPERSEDE)
    return {"margin_updates": updates, "superseded": superseded}


def _stopped(run: ArchiveRun, report: OutcomeReport) -> bool:
    """Whether the cancellation left anything undone."""
    return run.cancel_requested and (run.planned_at is None or report.failed > 0)


def _state(report: OutcomeReport, *, cancelled: bool, broken: bool, blind: bool) -> RunState:
    if cancelled:
        return RunState.CANCELLED
    if blind:
        return RunState.FAILED
    return RunState.COMPLETED_WITH_ERRORS if broken or report.failed else RunState.COMPLETED

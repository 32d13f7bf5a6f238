"""What people are told when a run is over (domain.md 2.12, 10.1)."""

from dataclasses import dataclass

from shared.domain.notifications.notification import Notice
from shared.domain.notifications.notification_texts import (
    category_issues,
    locked_period_change,
    run_failed,
    run_finished,
)
from shared.domain.runs.archive_run import RunKind, RunMode, RunState
from shared.domain.runs.outcome import RunReport
from shared.services.archiving.context import RunContext
from shared.services.jobs.outcomes import JobJudgement

_BY_HAND = (RunKind.MANUAL, RunKind.RETRY)
_WHOLE_WINDOW = (RunMode.NORMAL, RunMode.REPLACE)


@dataclass(frozen=True, slots=True)
class EndedRun:
    """How a run ended. ``new_issues`` and ``new_locked`` were not there when an earlier run looked.

    ``known_trouble``: nothing failed but reading what an earlier run could not read, either.
    """

    state: RunState
    report: RunReport
    requested_by: str
    new_issues: int
    new_locked: int
    job: JobJudgement
    known_trouble: bool = False


def notices_of(context: RunContext, ended: EndedRun) -> list[Notice]:
    """What is to be told of it; nothing of a night that went well, nor of what its owner cancelled.

    Where a mailbox or calendar is gone, the pause of its jobs is told and nothing else, and that once
    (domain.md 15.1).
    """
    if ended.state is RunState.CANCELLED:
        return []
    by_hand = context.kind in _BY_HAND and not ended.requested_by.startswith("system:")
    told = list(ended.job.told)
    if ended.state.trouble:
        told_before = ended.job.said_gone or ended.known_trouble
        if not ended.job.says_gone and (by_hand or not told_before):
            told.append(run_failed(context.run_id, context.window, ended.report))
    elif by_hand and context.mode in _WHOLE_WINDOW:
        told.append(run_finished(context.run_id, context.window, ended.report))
    if ended.new_issues:
        told.append(category_issues(context.run_id, context.window, ended.new_issues))
    if ended.new_locked:
        told.append(locked_period_change(context.run_id, context.window, ended.new_locked))
    return told

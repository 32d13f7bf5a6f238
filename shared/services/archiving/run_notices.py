"""Notifications about the end of a run (domain.md 2.12, 10.1)."""

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
    """How a run ended."""

    state: RunState
    report: RunReport
    requested_by: str
    #: Issues that no earlier run saw.
    new_issues: int
    #: Locked changes that no earlier run saw.
    new_locked: int
    job: JobJudgement
    #: The only failures are reads that failed in an earlier run too.
    known_trouble: bool = False


def notices_of(context: RunContext, ended: EndedRun) -> list[Notice]:
    """The notifications for it. There is none for a good night or for a run that its owner cancelled.

    If a mailbox or calendar is gone, the only notification is that its jobs pause, and it is sent once
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

"""The texts of notifications: counts, and dates in the archive's zone, never an event (6.3)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.domain.backfilling.backfill import BackfillProgress
from shared.domain.jobs.job import JobKind
from shared.domain.notifications.notification import (
    Audience,
    Notice,
    NotificationClass,
    NotificationState,
    NotificationSubject,
)
from shared.domain.overlaps.reminders import StillWaiting
from shared.domain.runs.outcome import Outcome, OutcomeReport
from shared.domain.runs.window import Window
from shared.domain.verifying.verification import FindingKind

_OUTCOMES: Final = {
    Outcome.ARCHIVED: "archived",
    Outcome.UPDATED: "updated",
    Outcome.UNCHANGED: "unchanged",
    Outcome.MERGED: "merged with duplicates",
    Outcome.CONSUMED: "taken as changes of meetings",
    Outcome.LEFT_OUT: "left out",
    Outcome.FLAGGED: "waiting for a decision",
    Outcome.LOCKED: "in locked periods",
    Outcome.CONFLICT: "edited in the archive",
    Outcome.FAILED: "failed",
}
_FINDINGS: Final = {
    FindingKind.MISSING: "missing",
    FindingKind.DOUBLED: "doubled",
    FindingKind.EDITED: "edited by hand",
    FindingKind.UNKNOWN: "unknown",
    FindingKind.SOURCE_CHANGED: "changed in the source",
}
_JOBS: Final = {
    JobKind.ARCHIVE: "The nightly archive",
    JobKind.BACKFILL: "The backfill",
    JobKind.VERIFY: "The weekly verification",
}
_INSTANT: Final = timedelta(microseconds=1)


def run_finished(run_id: UUID, window: Window, report: OutcomeReport) -> Notice:
    """A run that somebody requested is over without failures."""
    return Notice(
        notification_class=NotificationClass.RUN_FINISHED,
        transaction_id=f"archive_run:{run_id}",
        state=NotificationState.INFO,
        title="Archive run finished",
        text=f"{_counted(report.source, 'event')} {_days(window)}{_outcomes(report)}.",
        resource_type=NotificationSubject.ARCHIVE_RUN,
        resource_id=run_id,
        count=report.source,
    )


def run_failed(run_id: UUID, window: Window, report: OutcomeReport) -> Notice:
    """A run ended with failures, or could not continue (domain.md 2.12)."""
    if report.failed:
        what = f"{report.failed} of {_counted(report.source, 'event')} {_days(window)} failed."
    else:
        what = f"The run could not archive everything {_days(window)}."
    return Notice(
        notification_class=NotificationClass.RUN_FAILED,
        transaction_id=f"archive_run:{run_id}",
        state=NotificationState.FAILURE,
        title="Archive run ended with errors",
        text=f"{what} What succeeded stays; the run says what went wrong and can be retried.",
        resource_type=NotificationSubject.ARCHIVE_RUN,
        resource_id=run_id,
        count=report.failed,
    )


def category_issues(run_id: UUID, window: Window, count: int) -> Notice:
    """Events that are new or changed have no valid category (domain.md 3.3)."""
    return Notice(
        notification_class=NotificationClass.CATEGORY_ISSUES,
        transaction_id=f"category_issues:{run_id}",
        state=NotificationState.ATTENTION,
        title="Categories need your attention",
        text=f"{_counted(count, 'new or changed event')} {_days(window)} {_has(count)} categories of which"
        " none, or more than one, says for whom the time is.",
        resource_type=NotificationSubject.ARCHIVE_RUN,
        resource_id=run_id,
        count=count,
    )


def locked_period_change(run_id: UUID, window: Window, count: int) -> Notice:
    """Changes were not written because a finalised timesheet locked their period (domain.md 2.8)."""
    return Notice(
        notification_class=NotificationClass.LOCKED_PERIOD_CHANGE,
        transaction_id=f"locked_period_change:{run_id}",
        state=NotificationState.ATTENTION,
        title="Change in a locked period",
        text=f"{_counted(count, 'change')} {_days(window)} {_fall(count)} into a period that a finalised"
        " timesheet locked. Nothing was written there.",
        resource_type=NotificationSubject.ARCHIVE_RUN,
        resource_id=run_id,
        count=count,
    )


def overlaps_opened_id(run_id: UUID) -> str:
    """The id of the one notification about all overlaps that a run opened."""
    return f"overlap_needs_you:{run_id}"


def overlaps_opened(
    run_id: UUID, configuration_id: UUID, window: Window, count: int, expires_at: datetime
) -> Notice:
    """A run opened groups of overlapping events that wait for their owner (domain.md 5.6, 5.8)."""
    return _waiting(
        NotificationClass.OVERLAP_NEEDS_YOU,
        overlaps_opened_id(run_id),
        configuration_id,
        count,
        "Overlapping events need your decision",
        f"{_counted(count, 'group')} of overlapping events {_days(window)} {_wait(count)} for your"
        f" decision. What is undecided on {_date(expires_at, window.zone)} is archived as it is.",
    )


def overlaps_reminder(waiting: StillWaiting) -> Notice:
    """Groups of an archive still wait (domain.md 5.8)."""
    count, zone, ends = waiting.count, waiting.zone, ""
    if waiting.expires_at is not None:
        ends = f" What is undecided is archived as it is from {_date(waiting.expires_at, zone)} on."
    return _waiting(
        NotificationClass.OVERLAP_NEEDS_YOU,
        f"overlap_reminder:{waiting.first}:{waiting.number}:{waiting.since.isoformat()}",
        waiting.configuration_id,
        count,
        "Overlapping events still wait for you",
        f"{_counted(count, 'group')} of overlapping events {_has(count)} been waiting for your decision"
        f" since {_date(waiting.since, zone)}.{ends}",
    )


def items_opened_id(run_id: UUID) -> str:
    """The id of the one notification about all action items that a run opened."""
    return f"meeting_needs_you:{run_id}"


def items_opened(run_id: UUID, configuration_id: UUID, count: int) -> Notice:
    """A run found meetings about which their owner must decide (domain.md 2.16, 2.17)."""
    return _waiting(
        NotificationClass.MEETING_NEEDS_YOU,
        items_opened_id(run_id),
        configuration_id,
        count,
        "Changed meetings need your answer",
        f"{_counted(count, 'question')} about archived meetings that changed in the calendar"
        f" {_wait(count)} for your answer. Until then the archived copies count.",
    )


def items_reminder(waiting: StillWaiting) -> Notice:
    """Action items of an archive still wait (domain.md 2.16)."""
    count = waiting.count
    return _waiting(
        NotificationClass.MEETING_NEEDS_YOU,
        f"item_reminder:{waiting.first}:{waiting.number}:{waiting.since.isoformat()}",
        waiting.configuration_id,
        count,
        "Changed meetings still need your answer",
        f"{_counted(count, 'question')} about archived meetings {_has(count)} been waiting for"
        f" your answer since {_date(waiting.since, waiting.zone)}.",
    )


def job_paused(
    cause_id: UUID, configuration_id: UUID, kind: JobKind, failures: int, *, gone: bool
) -> tuple[Notice, ...]:
    """Jobs were paused. Sent to their owner and to the Admins (domain.md 8.3, 15.1).

    ``cause_id`` is the run or verification that caused it. With ``gone``, all jobs of the archive are paused,
    because its mailbox or a calendar does not exist any more.
    """
    if gone:
        title = "Archiving is paused: a mailbox or calendar is gone"
        text = (
            "The mailbox or a calendar of this archive does not exist any more, or has no licence. Its jobs"
            " were paused at once; what is archived stays."
        )
    else:
        title = f"{_JOBS[kind]} is paused"
        text = f"{_JOBS[kind]} failed {failures} times in a row and was paused. What is archived stays."
    return tuple(
        Notice(
            notification_class=NotificationClass.JOB_PAUSED,
            transaction_id=f"job_paused:{cause_id}:{audience}",
            state=NotificationState.FAILURE,
            title=title,
            text=text,
            resource_type=NotificationSubject.ARCHIVE_CONFIGURATION,
            resource_id=configuration_id,
            count=failures,
            audience=audience,
        )
        for audience in Audience
    )


def backfill_progress(
    backfill_id: UUID, configuration_id: UUID, first: datetime, zone: ZoneInfo, progress: BackfillProgress
) -> Notice:
    """The progress of a backfill that begins at ``first``: one notification for all its months."""
    over = progress.months_done >= progress.months_total
    return Notice(
        notification_class=NotificationClass.RUN_FINISHED,
        transaction_id=f"backfill:{backfill_id}:{first.astimezone(zone):%Y-%m-%d}",
        state=NotificationState.INFO if over else NotificationState.PROGRESS,
        title="Backfill finished" if over else "Backfill under way",
        text=f"{progress.months_done} of {_counted(progress.months_total, 'month')} from"
        f" {_date(first, zone)} on {_is(progress.months_done)} archived.",
        resource_type=NotificationSubject.ARCHIVE_CONFIGURATION,
        resource_id=configuration_id,
        percent=progress.percent,
    )


def verification_over(
    verification_id: UUID, window: Window, found: Mapping[str, int], *, failed: bool
) -> Notice:
    """The result of a verification (domain.md 2.15). ``found`` counts differences by kind."""
    total = sum(found.values())
    told = NotificationClass.VERIFY_DIFFERENCE, NotificationState.ATTENTION, "Verification found differences"
    listed = ", ".join(f"{found[kind]} {word}" for kind, word in _FINDINGS.items() if found.get(kind))
    text = f"{_counted(total, 'difference')} {_days(window)}: {listed}."
    if failed:
        told = NotificationClass.RUN_FAILED, NotificationState.FAILURE, "Verification could not be completed"
        text = f"Not everything {_days(window)} could be compared. " + (text if total else "")
    elif not total:
        told = NotificationClass.RUN_FINISHED, NotificationState.INFO, "Verification found no difference"
        text = f"Source, record and archive agree {_days(window)}."
    return Notice(
        notification_class=told[0],
        transaction_id=f"verification:{verification_id}",
        state=told[1],
        title=told[2],
        text=text.strip(),
        resource_type=NotificationSubject.VERIFICATION,
        resource_id=verification_id,
        count=total,
    )


def _waiting(
    notification_class: NotificationClass,
    transaction_id: str,
    configuration_id: UUID,
    count: int,
    title: str,
    text: str,
) -> Notice:
    """Decisions of an archive wait for its owner."""
    return Notice(
        notification_class=notification_class,
        transaction_id=transaction_id,
        state=NotificationState.ATTENTION,
        title=title,
        text=text,
        resource_type=NotificationSubject.ARCHIVE_CONFIGURATION,
        resource_id=configuration_id,
        count=count,
    )


def _outcomes(report: OutcomeReport) -> str:
    told = [f"{report.count(outcome)} {word}" for outcome, word in _OUTCOMES.items() if report.count(outcome)]
    return f": {', '.join(told)}" if told else ""


def _days(window: Window) -> str:
    first, last = _date(window.start, window.zone), _date(window.end - _INSTANT, window.zone)
    return f"on {first}" if first == last else f"from {first} to {last}"


def _date(instant: datetime, zone: ZoneInfo) -> str:
    day = instant.astimezone(zone)
    return f"{day.day} {day:%B %Y}"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _has(count: int) -> str:
    return "has" if count == 1 else "have"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _wait(count: int) -> str:
    return "waits" if count == 1 else "wait"


def _fall(count: int) -> str:
    return "falls" if count == 1 else "fall"

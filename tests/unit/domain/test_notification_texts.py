"""Notifications say counts, and dates in the archive's zone, in plain English (domain.md 6.3, 10.1)."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.domain.backfilling.backfill import BackfillProgress
from shared.domain.jobs.job import JobKind
from shared.domain.notifications import notification_texts as texts
from shared.domain.notifications.notification import Audience, Notice
from shared.domain.overlaps.reminders import StillWaiting
from shared.domain.runs.outcome import Outcome, OutcomeReport
from shared.domain.runs.window import Window

RUN, CONFIGURATION, GROUP = (UUID(int=number) for number in (1, 2, 3))
BERLIN = ZoneInfo("Europe/Berlin")
#: 2 March 2026 in Berlin: its first instant is 23:00 of the day before in UTC.
MIDNIGHT = datetime(2026, 3, 1, 23, tzinfo=UTC)
DAY = Window(MIDNIGHT, MIDNIGHT + timedelta(days=1), BERLIN)
WEEK = Window(MIDNIGHT, MIDNIGHT + timedelta(days=7), BERLIN)


def test_a_finished_run_tells_its_outcomes_and_its_days_in_the_zone_of_the_archive() -> None:
    report = OutcomeReport.of(13, {Outcome.ARCHIVED: 12, Outcome.FLAGGED: 1})
    told = texts.run_finished(RUN, WEEK, report)
    assert told.text == (
        "13 events from 2 March 2026 to 8 March 2026: 12 archived, 1 waiting for a decision."
    )
    assert texts.run_finished(RUN, DAY, OutcomeReport.of(0, {})).text == "0 events on 2 March 2026."
    assert (told.notification_class, told.state, told.resource_id) == ("run_finished", "info", RUN)


def test_a_failed_run_tells_how_much_failed_and_is_the_same_telling_as_a_finished_one() -> None:
    told = texts.run_failed(RUN, DAY, OutcomeReport.of(1, {Outcome.FAILED: 1}))
    assert told.text.startswith("1 of 1 event on 2 March 2026 failed.")
    nothing = texts.run_failed(RUN, DAY, OutcomeReport.of(0, {}))
    assert nothing.text.startswith("The run could not archive everything on 2 March 2026.")
    assert told.transaction_id == texts.run_finished(RUN, DAY, OutcomeReport.of(0, {})).transaction_id


def test_one_and_many_are_told_apart() -> None:
    assert texts.category_issues(RUN, DAY, 1).text.startswith("1 new or changed event on 2 March 2026 has ")
    assert texts.category_issues(RUN, DAY, 2).text.startswith("2 new or changed events on 2 March 2026 have ")
    assert texts.locked_period_change(RUN, DAY, 1).text.startswith("1 change on 2 March 2026 falls ")
    expires = MIDNIGHT + timedelta(days=30)
    waiting = texts.overlaps_opened(RUN, CONFIGURATION, DAY, 1, expires)
    assert waiting.text.startswith("1 group of overlapping events on 2 March 2026 waits for your decision.")
    # Summer time has begun by then.
    assert waiting.text.endswith("What is undecided on 1 April 2026 is archived as it is.")


def test_each_reminder_is_a_telling_of_its_own() -> None:
    def told(number: int, since: datetime = MIDNIGHT) -> Notice:
        waiting = StillWaiting(
            first=GROUP,
            number=number,
            configuration_id=CONFIGURATION,
            zone=BERLIN,
            count=2,
            since=since,
            expires_at=None,
        )
        return texts.overlaps_reminder(waiting)

    assert told(1).text == (
        "2 groups of overlapping events have been waiting for your decision since 2 March 2026."
    )
    reopened = told(1, MIDNIGHT + timedelta(days=9))
    assert len({told(1).transaction_id, told(2).transaction_id, reopened.transaction_id}) == 3


def test_a_paused_job_is_told_to_its_owner_and_to_the_admins() -> None:
    told = texts.job_paused(RUN, CONFIGURATION, JobKind.ARCHIVE, 5, gone=False)
    assert [notice.audience for notice in told] == [Audience.OWNER, Audience.ADMINS]
    assert len({notice.transaction_id for notice in told}) == 2
    assert told[0].text.startswith("The nightly archive failed 5 times in a row")
    gone = texts.job_paused(RUN, CONFIGURATION, JobKind.VERIFY, 1, gone=True)
    assert gone[0].title == "Archiving is paused: a mailbox or calendar is gone"


def test_a_backfill_is_one_telling_from_its_first_month_to_its_last() -> None:
    def told(done: int, percent: int) -> Notice:
        return texts.backfill_progress(
            RUN, CONFIGURATION, MIDNIGHT, BERLIN, BackfillProgress(done, 3, percent)
        )

    first, last = told(1, 33), told(3, 100)
    assert (first.state, first.percent, last.state, last.percent) == ("progress", 33, "info", 100)
    assert first.text == "1 of 3 months from 2 March 2026 on is archived."
    assert first.transaction_id == last.transaction_id


def test_a_verification_tells_what_it_found() -> None:
    found = {"missing": 1, "doubled": 0, "edited": 2, "unknown": 0, "source_changed": 0}
    told = texts.verification_over(RUN, DAY, found, failed=False)
    assert (told.notification_class, told.count) == ("verify_difference", 3)
    assert told.text == "3 differences on 2 March 2026: 1 missing, 2 edited by hand."
    nothing = dict.fromkeys(found, 0)
    assert texts.verification_over(RUN, DAY, nothing, failed=False).notification_class == "run_finished"
    failed = texts.verification_over(RUN, DAY, nothing, failed=True)
    assert (failed.notification_class, failed.text) == (
        "run_failed",
        "Not everything on 2 March 2026 could be compared.",
    )

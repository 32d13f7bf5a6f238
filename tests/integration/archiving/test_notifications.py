"""What people are told of the runs of their archive (domain.md 2.12, 5.8, 8.3, 10.1, 15.1)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import RowMapping, text, update
from sqlalchemy import event as sql_event

from shared.database.models.runs import ArchiveRun
from shared.domain.runs.archive_run import RunKind
from shared.services.audit.recording import AuditWriter
from shared.services.notifications.reminding import OVERLAPS, Reminders
from tests.integration.archiving.simulated_mailbox import ADDRESS, event
from tests.integration.archiving.test_locked_periods import MONDAY, lock, reopen
from tests.integration.archiving.test_overlaps import pair
from tests.integration.archiving.test_runs import week
from tests.integration.archiving.world import DAY, World

HOUR = timedelta(hours=1)
NINE = DAY + 9 * HOUR
SYSTEM = "system:dispatch_due_jobs"
INVALID: dict[str, Any] = {"categories": ["Acme billable"]}


async def told(world: World, audience: str = "owner") -> list[RowMapping]:
    """All that anybody was told, oldest first."""
    return await world.rows(
        "SELECT * FROM notifications WHERE audience = :audience ORDER BY created_at, class", audience=audience
    )


async def classes(world: World, audience: str = "owner") -> list[str]:
    return [row["class"] for row in await told(world, audience)]


async def night(world: World) -> dict[str, Any]:
    """A run that nobody asked for."""
    run = await world.request()
    async with world.database.session() as session:
        nightly = update(ArchiveRun).where(ArchiveRun.id == run.id)
        await session.execute(nightly.values(kind=RunKind.NIGHTLY, requested_by=SYSTEM))
    return await world.drive(run.id)


async def sweep(world: World) -> int:
    """One turn of the timer."""
    audit = AuditWriter(world.clock, world.person_keys)
    return await Reminders(world.database, world.clock, audit, OVERLAPS).send_due()


def refuse_creates(world: World, status: int = 400, times: int | None = None) -> None:
    world.simulator.faults.add(
        {"match": {"method": "POST", "in_batch": True}, "kind": "status", "status": status, "times": times}
    )


async def test_who_asked_for_a_run_is_told_that_it_is_over_and_a_good_night_says_nothing(
    world: World,
) -> None:
    await world.open(week(2))
    await night(world)
    assert await told(world) == []
    run = await world.request()
    await world.drive(run.id)
    (row,) = await told(world)
    assert (row["class"], row["state"], row["resource_id"]) == ("run_finished", "info", run.id)
    assert (
        row["text"] == f"{row['count']} events from 2 March 2026 to 8 March 2026: {row['count']} unchanged."
    )
    assert (row["tenant_id"], row["owner_id"]) == (world.tenant_id, run.owner_id)


async def test_a_run_with_failures_is_told_once_though_it_finishes_twice(world: World) -> None:
    await world.open(week(1))
    refuse_creates(world)
    report = await night(world)
    (run,) = await world.rows("SELECT id FROM archive_runs")
    for _ in range(2):
        await world.finish(run["id"])
    (row,) = await told(world)
    assert (row["class"], row["state"], row["count"]) == ("run_failed", "failure", report["failed"])
    assert (row["version"], row["resource_type"], row["resource_id"]) == (1, "archive_run", run["id"])
    assert await told(world, "admins") == []


async def test_a_cancelled_run_is_no_news(world: World) -> None:
    await world.open(week(1))
    run = await world.request()
    await world.plan(run.id)
    async with world.database.session() as session:
        await session.execute(update(ArchiveRun).values(cancel_requested=True))
    await world.finish(run.id)
    assert await told(world) == []


async def test_five_failures_in_a_row_tell_owner_and_admins_once_that_the_job_is_paused(world: World) -> None:
    await world.open(week(1))
    await world.add_job()
    refuse_creates(world)
    for _ in range(6):
        await night(world)
    assert await classes(world) == [*["run_failed"] * 4, "job_paused", "run_failed", "run_failed"]
    (row,) = await told(world, "admins")
    assert (row["class"], row["resource_type"], row["resource_id"]) == (
        "job_paused",
        "archive_configuration",
        world.configuration_id,
    )
    assert row["text"] == (
        "The nightly archive failed 5 times in a row and was paused. What is archived stays."
    )


async def test_a_mailbox_that_is_gone_is_told_once_and_not_every_night(world: World) -> None:
    await world.open(week(1))
    await world.add_job()
    async with world.database.session() as session:
        await session.execute(
            text(
                "INSERT INTO jobs (id, tenant_id, owner_id, configuration_id, kind, schedule, time_zone)"
                " SELECT gen_random_uuid(), tenant_id, owner_id, configuration_id, 'verify', schedule, 'UTC'"
                " FROM jobs"
            )
        )
    world.simulator.state.mailbox(ADDRESS).enabled = False
    for _ in range(3):
        await night(world)
    (row,) = await told(world)
    assert (row["class"], row["title"]) == (
        "job_paused",
        "Archiving is paused: a mailbox or calendar is gone",
    )
    assert await classes(world, "admins") == ["job_paused"]
    assert [job["paused"] for job in await world.rows("SELECT paused FROM jobs")] == [True, True]
    # People who request a run get its result.
    await world.archive()
    assert await classes(world) == ["job_paused", "run_failed"]


async def test_overlaps_that_wait_are_told_as_one_by_the_run_that_opened_them(world: World) -> None:
    tuesday = NINE + 24 * HOUR
    more = [event("One", tuesday), event("Two", tuesday + HOUR / 2)]
    await world.open([*pair(), *more], overlap_policy="flag")
    await night(world)
    (row,) = await told(world)
    assert (row["class"], row["state"], row["count"]) == ("overlap_needs_you", "attention", 2)
    assert row["text"].startswith(
        "2 groups of overlapping events from 2 March 2026 to 8 March 2026 wait for your decision."
    )
    assert (row["resource_type"], row["resource_id"]) == ("archive_configuration", world.configuration_id)
    # The following nights see the same groups wait.
    await night(world)
    assert len(await told(world)) == 1
    await world.add(event("Three", tuesday + HOUR / 2))
    await night(world)
    assert len(await told(world)) == 1


async def test_a_plan_that_is_made_again_tells_of_the_overlaps_it_opened_once(world: World) -> None:
    await world.open(pair(), overlap_policy="flag")
    run = await world.request()
    await world.plan(run.id)
    async with world.database.session() as session:
        await session.execute(update(ArchiveRun).values(planned_at=None))
    await world.drive(run.id)
    assert sorted(await classes(world)) == ["overlap_needs_you", "run_finished"]
    assert [row["count"] for row in await told(world) if row["class"] == "overlap_needs_you"] == [1]


async def test_a_decided_overlap_that_opens_again_is_told_again(world: World) -> None:
    await world.open(pair(), overlap_policy="flag")
    await night(world)
    (group,) = await world.groups()
    await world.drive(await world.resolve(group["id"], "Late"))
    await world.edit((await world.source("Early"))["id"], subject="Early, changed")
    await night(world)
    assert (await classes(world)).count("overlap_needs_you") == 2


async def test_overlaps_that_are_kept_need_nobody(world: World) -> None:
    await world.open(pair())
    await night(world)
    assert await told(world) == []


async def test_an_overlap_that_waits_since_the_policy_is_another_one_is_told(world: World) -> None:
    await world.open(
        [event("High", NINE, importance="high"), event("Low", NINE + HOUR / 2)], overlap_policy="auto"
    )
    await night(world)
    (group,) = await world.groups()
    assert (group["status"], group["remind_at"], await told(world)) == ("resolved", None, [])
    await world.configure(overlap_policy="flag")
    await night(world)
    (group,) = await world.groups()
    assert group["status"] == "flagged"
    assert await classes(world) == ["overlap_needs_you"]
    world.clock.advance(days=1)
    assert await sweep(world) == 1


async def test_waiting_overlaps_remind_their_owner_after_1_3_and_7_days_each_once(world: World) -> None:
    await world.open(pair(), overlap_policy="flag")
    await night(world)
    sent: list[int] = []
    for hours in range(0, 24 * 9, 12):
        world.clock.advance(hours=12 if hours else 0.01)
        sent += [hours // 12] * await sweep(world)
        assert await sweep(world) == 0
    # Half days after the run that opened the group.
    assert sent == [2, 6, 14]
    reminders = (await told(world))[1:]
    assert {(row["class"], row["count"], row["title"]) for row in reminders} == {
        ("overlap_needs_you", 1, "Overlapping events still wait for you")
    }
    assert len({row["transaction_id"] for row in reminders}) == 3
    audited = await world.rows("SELECT actor, changes FROM audit_entries WHERE action = 'overlap.reminded'")
    assert [row["changes"]["reminder"] for row in audited] == [1, 2, 3]
    assert {row["actor"] for row in audited} == {"system:sweep_notifications"}


async def test_what_was_missed_is_made_up_for_by_one_reminder(world: World) -> None:
    tuesday = NINE + 24 * HOUR
    more = [event("One", tuesday), event("Two", tuesday + HOUR / 2)]
    await world.open([*pair(), *more], overlap_policy="flag")
    await night(world)
    world.clock.advance(days=4)
    assert await sweep(world) == 1
    row = (await told(world))[-1]
    assert (row["count"], row["text"].split()[:2]) == (2, ["2", "groups"])
    world.clock.advance(days=2.9)
    assert await sweep(world) == 0
    world.clock.advance(days=0.2)
    assert await sweep(world) == 1
    world.clock.advance(days=20)
    assert await sweep(world) == 0


async def test_what_was_decided_reminds_nobody(world: World) -> None:
    await world.open(pair(), overlap_policy="flag")
    await night(world)
    (group,) = await world.groups()
    await world.resolve(group["id"], "Late")
    world.clock.advance(days=8)
    assert await sweep(world) == 0


async def test_category_issues_are_told_once_for_each_event_as_it_is(world: World) -> None:
    await world.open(
        [event("Valid", NINE, categories=["Acme - billable"]), event("Wrong", NINE + HOUR, **INVALID)]
    )
    await night(world)
    (row,) = await told(world)
    assert (row["class"], row["state"], row["count"]) == ("category_issues", "attention", 1)
    report = await night(world)
    assert report["category_issues"] == 1
    assert len(await told(world)) == 1
    await world.add(event("Wrong, too", NINE + 3 * HOUR, **INVALID))
    await night(world)
    assert [row["count"] for row in await told(world)] == [1, 1]


async def test_issues_of_what_a_timesheet_leaves_out_are_told_once_too(world: World) -> None:
    await world.open([event("Wrong", NINE, **INVALID)], purpose="timesheet")
    for _ in range(3):
        await night(world)
    assert await classes(world) == ["category_issues"]


async def test_a_plan_that_is_made_again_loses_no_issue(world: World) -> None:
    await world.open([event("Wrong", NINE, **INVALID)], purpose="timesheet")
    run = await world.request()
    await world.plan(run.id)
    async with world.database.session() as session:
        await session.execute(update(ArchiveRun).values(planned_at=None, requested_by=SYSTEM))
    await world.drive(run.id)
    assert await classes(world) == ["category_issues"]


async def test_a_change_that_stays_locked_is_told_once(world: World) -> None:
    await world.open([event("Monday", NINE)])
    await night(world)
    lock_id = await lock(world, MONDAY)
    await world.edit((await world.source("Monday"))["id"], subject="Monday, changed")
    for _ in range(3):
        assert (await night(world))["locked"] == 1
    (row,) = await told(world)
    assert (row["class"], row["count"]) == ("locked_period_change", 1)
    await world.edit((await world.source("Monday, changed"))["id"], subject="Changed again")
    await night(world)
    assert await classes(world) == ["locked_period_change"] * 2
    assert await reopen(world, lock_id)


async def test_nothing_of_an_event_is_in_a_notification(world: World) -> None:
    await world.open(
        [*pair(), event("Wrong", NINE + 8 * HOUR, **INVALID)], overlap_policy="flag", name="Surgery"
    )
    refuse_creates(world)
    await world.archive()
    world.clock.advance(days=1)
    await sweep(world)
    assert len(await told(world)) == 4
    said = " ".join(f"{row['title']} {row['text']}" for row in await told(world))
    for word in ("Early", "Late", "Alone", "Wrong", "Acme", "Surgery", ADDRESS, "Ada"):
        assert word not in said


@contextmanager
def counted(world: World) -> Iterator[list[str]]:
    """The statements about notifications that are executed in the block."""
    statements: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "notifications" in statement:
            statements.append(statement)

    sql_event.listen(world.database.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sql_event.remove(world.database.engine.sync_engine, "before_cursor_execute", note)


async def test_a_night_with_nothing_to_tell_asks_the_database_nothing_more(world: World) -> None:
    await world.open(week(2))
    with counted(world) as statements:
        await night(world)
    assert statements == []
    with counted(world) as statements:
        await world.archive()
    assert len(statements) == 1

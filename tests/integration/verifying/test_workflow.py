"""The orchestration of a verification, its activities, and the weekly job (domain.md 2.15, 8.2)."""

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from durabletask.client import OrchestrationStatus
from durabletask.task import TaskFailedError
from sqlalchemy import select, text, update

from shared.database.models.configurations import Job
from shared.database.models.verifications import Verification
from shared.errors import Unavailable
from shared.triggers import timers, verification_workflow
from shared.triggers.verification_workflow import IDLE_ROUNDS, ROUNDS_PER_GENERATION, WORKFLOW
from tests.integration.archiving.durable import START, Context, RecordingClient, function_of
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.world import DAY, World
from tests.integration.verifying.verifier import Verifier

ID = "6f9b0a3e-0000-4000-8000-000000000002"


def progress(percent: int, *, remaining: bool = True, wait: float | None = None, **more: Any) -> Any:
    """An answer of compare; ``wait`` is in seconds after the start."""
    resume = None if wait is None else (START.replace(tzinfo=UTC) + timedelta(seconds=wait)).isoformat()
    answer = {"percent": percent, "remaining": remaining, "resume_at": resume, "refused": None, "gone": False}
    return answer | more


def drive(answers: list[Any], given: dict[str, Any] | None = None, *, begun: Any = True) -> Context:
    """Run one generation; ``answers`` are those of compare, the last one again and again.

    ``begun`` is that of begin, by default as an earlier version answered.
    """
    context, place = Context(), 0
    steps: Generator[Any, Any, Any] = function_of(verification_workflow.verify_archive)(
        context, given or {"verification_id": ID}
    )
    reply: Any = None
    try:
        name, argument = next(steps)
        while True:
            if name == "timer":
                context.now += argument
                reply = None
            elif name == "compare_verification":
                reply = answers[min(place, len(answers) - 1)]
                place += 1
            else:
                reply = begun if name == "begin_verification" else "completed"
            failed = isinstance(reply, Exception)
            name, argument = steps.throw(reply) if failed else steps.send(reply)
    except StopIteration:
        return context


def finish(context: Context) -> dict[str, Any]:
    """What the last activity was told."""
    name, given = context.calls[-1]
    assert name == "finish_verification"
    return dict(given)


def test_it_compares_until_nothing_is_left() -> None:
    context = drive([progress(30), progress(60, wait=100), progress(99, remaining=False)])
    names = [name for name, _ in context.calls]
    assert names == [
        "begin_verification",
        *("compare_verification", "compare_verification", "timer", "compare_verification"),
        "finish_verification",
    ]
    assert finish(context) == {"verification_id": ID, "reason": None, "gone": False}
    told = [status["percent"] for status in context.statuses]
    assert told == sorted(told)
    assert context.statuses[-1] == {"step": "finished", "percent": 100, "state": "completed"}


def test_a_long_one_continues_as_new() -> None:
    context = drive([progress(percent + 1) for percent in range(60)])
    following = {"verification_id": ID, "idle": 0, "percent": ROUNDS_PER_GENERATION}
    assert context.following == following
    again = drive([progress(99, remaining=False)], following)
    assert again.calls[1] == ("compare_verification", {"verification_id": ID, "idle": 0})


def test_it_gives_up_where_nothing_moves() -> None:
    context = drive([progress(0, wait=10)])
    assert sum(name == "compare_verification" for name, _ in context.calls) == IDLE_ROUNDS
    assert "nothing could be compared" in finish(context)["reason"]


def test_a_refusal_and_a_failure_end_it_with_their_reason() -> None:
    refused = drive([progress(0, remaining=False, refused="ErrorItemNotFound: gone", gone=True)])
    assert finish(refused) == {"verification_id": ID, "reason": "ErrorItemNotFound: gone", "gone": True}
    failed = drive([TaskFailedError("compare failed", RuntimeError("the database is away"))])
    assert "the database is away" in finish(failed)["reason"]


def test_it_continues_later_where_the_database_was_away() -> None:
    away = TaskFailedError("compare failed", Unavailable("The database cannot be reached."))
    with pytest.raises(TaskFailedError, match="compare failed"):
        drive([away], begun={"mine": True, "patient": True})
    old = drive([away], begun={"mine": True, "patient": False})
    assert "cannot be reached" in finish(old)["reason"]


async def activity(name: str, given: Any) -> Any:
    """Run an activity as the worker does."""
    return await function_of(getattr(verification_workflow, f"{name}_verification"))(given)


async def tick(client: RecordingClient) -> None:
    """One turn of the timer."""
    await function_of(timers.dispatch)(None, client)


def started(client: RecordingClient) -> list[str]:
    """The verifications that were started."""
    return [instance for name, _, instance in client.started if name == "verify_archive"]


async def one(world: World) -> Verification:
    """The only verification there is."""
    async with world.database.session() as session:
        return (await session.execute(select(Verification))).scalar_one()


async def test_every_activity_may_run_twice(world: World, verifier: Verifier) -> None:
    await world.open([event("Meeting", DAY)])
    await world.archive()
    await world.delete((await world.copy("Meeting"))["id"])
    verification = str((await verifier.request()).id)
    for _ in range(2):
        assert await activity("begin", verification) == {"mine": True, "patient": True}
    for _ in range(2):
        compared = await activity("compare", {"verification_id": verification, "idle": 0})
        assert (compared["remaining"], compared["refused"]) == (False, None)
    step = {"verification_id": verification, "reason": None, "gone": False}
    assert [await activity("finish", step) for _ in range(2)] == ["completed"] * 2
    assert await activity("begin", verification) == {"mine": False, "patient": False}
    assert (await one(world)).counts == {
        "missing": 1,
        **dict.fromkeys(["doubled", "edited", "unknown", "source_changed"], 0),
    }


async def test_a_calendar_that_does_not_answer_is_asked_again_later(world: World, verifier: Verifier) -> None:
    await world.open([event("Meeting", DAY)])
    await world.archive()
    verification = await verifier.request()
    assert (await verifier.app.archiving.verifications.begin(verification.id)).mine
    read = {"method": "GET", "path_regex": "calendarView"}
    trouble = {"kind": "status", "status": 503, "code": "ErrorInternalServerTransientError", "times": 50}
    world.simulator.faults.add({"match": read, **trouble, "retry_after": 60})
    away = await verifier.compare(verification.id)
    assert (away.remaining, away.refused) == (True, None)
    assert away.resume_at is not None
    assert away.resume_at > world.clock.now() + timedelta(seconds=25)


async def test_an_archive_calendar_that_is_gone_ends_it_and_pauses_the_job(
    world: World, verifier: Verifier
) -> None:
    await world.open([event("Meeting", DAY)])
    await world.archive()
    await tick(RecordingClient())
    await _due(world)
    client = RecordingClient()
    await tick(client)
    verification = await one(world)
    assert started(client) == [WORKFLOW.instance_id(verification.id)]
    async with world.database.session() as session:
        await session.execute(
            text(
                "UPDATE archive_configurations SET archive_calendar_id = "
                "overlay(archive_calendar_id placing 'zzzz' from length(archive_calendar_id) - 12 for 4)"
            )
        )
    ended = await verifier.drive(verification.id)
    assert (ended.state, ended.counts is not None) == ("failed", True)
    assert (await _job(world)).paused
    told = await world.rows(
        "SELECT class, audience FROM notifications WHERE resource_type <> 'archive_run' ORDER BY audience"
    )
    assert [(row["class"], row["audience"]) for row in told] == [
        ("job_paused", "admins"),
        ("job_paused", "owner"),
    ]


async def test_every_configuration_is_verified_weekly(world: World, verifier: Verifier) -> None:
    await world.open([event("Meeting", DAY)], time_zone="Europe/Berlin")
    await world.archive()
    client = RecordingClient()
    await tick(client)
    job = await _job(world)
    assert (job.schedule["kind"], job.schedule["days"]) == ("weekly", ["sunday"])
    assert job.next_run_at is not None
    assert job.next_run_at.weekday() == 6
    assert started(client) == []
    await _due(world)
    await tick(client)
    await tick(client)
    verification = await one(world)
    assert started(client) == [WORKFLOW.instance_id(verification.id)]
    assert (verification.job_id, verification.requested_by) == (job.id, "system:dispatch_due_jobs")
    after = await _job(world)
    assert after.next_run_at is not None
    assert after.next_run_at > world.clock.now()
    done = await verifier.drive(verification.id)
    assert (done.state, (await _job(world)).consecutive_failures) == ("completed", 0)
    assert await world.rows("SELECT id FROM notifications WHERE resource_type = 'verification'") == []


async def test_what_has_archived_nothing_is_not_verified(world: World, verifier: Verifier) -> None:
    await world.open([])
    await tick(RecordingClient())
    await _due(world)
    client = RecordingClient()
    await tick(client)
    assert client.started == []
    assert (await _job(world)).next_run_at != DAY


@pytest.mark.parametrize("status", [None, OrchestrationStatus.FAILED])
async def test_one_that_lost_its_orchestration_gets_another(
    world: World, verifier: Verifier, status: OrchestrationStatus | None
) -> None:
    await world.open([event("Meeting", DAY)])
    await world.archive()
    verification = await verifier.request()
    client = RecordingClient()
    if status is not None:
        client.remember(WORKFLOW.instance_id(verification.id), status)
    await tick(client)
    assert started(client) == [WORKFLOW.instance_id(verification.id)]
    world.clock.advance(minutes=3)
    await tick(client)
    assert len(started(client)) == 1


async def _job(world: World) -> Job:
    async with world.database.session() as session:
        return (await session.execute(select(Job).where(Job.kind == "verify"))).scalar_one()


async def _due(world: World, at: datetime = DAY) -> None:
    async with world.database.session() as session:
        await session.execute(update(Job).where(Job.kind == "verify").values(next_run_at=at))

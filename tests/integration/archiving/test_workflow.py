"""The activities and their orchestrations over a real database and mailbox, without a host."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest
from durabletask.client import OrchestrationStatus
from sqlalchemy import text

from shared.database.models.runs import ArchiveRun
from shared.errors import NotFound
from shared.triggers.archive_workflow import WORKFLOW, start_archive_run
from tests.integration.archiving.durable import RecordingClient, drive, refused
from tests.integration.archiving.worker import TICK, activity, one_run, started, tick
from tests.integration.archiving.world import DAY, World
from tests.support.cancelling import request_cancel

WEEK = timedelta(days=7)


class TestActivities:
    """Each may run twice, even at the same time."""

    async def test_a_run_goes_through_its_activities(self, workflow: World, client: RecordingClient) -> None:
        run_id = str((await workflow.request()).id)
        begun = await activity("begin", run_id)
        assert begun == {"mine": True, "correlation_id": "test", "patient": True}
        assert await activity("settle", {"run_id": run_id, "attempt": 0}) == {"open": 0, "resume_at": None}
        planned = await activity("plan", run_id)
        assert (planned["source"], planned["planned"]) == (3, 3)
        applied = await activity("apply", run_id)
        assert applied == {"done": 3, "failed": 0, "remaining": 0, "resume_at": None}
        finished = await activity("finish", {"run_id": run_id, "reason": None}, client)
        assert finished == {"state": "completed"}
        assert set((await workflow.copies_by_key()).values()) == {1}
        assert client.started == []
        run = await one_run(workflow)
        assert run.report is not None
        assert (run.state, run.report["archived"], run.report["source"]) == ("completed", 3, 3)

    async def test_every_activity_may_run_twice(self, workflow: World, client: RecordingClient) -> None:
        run_id = str((await workflow.request()).id)
        step = {"run_id": run_id, "reason": None}
        for given in ("begin", "plan", "apply"):
            one, other = await activity(given, run_id), await activity(given, run_id)
            if given != "apply":
                assert one == other
            else:
                assert (other["done"], other["remaining"]) == (0, 0)
        ended = [await activity("finish", step, client) for _ in range(2)]
        assert ended == [{"state": "completed"}] * 2
        assert (await activity("begin", run_id))["mine"] is False
        async with workflow.database.session() as session:
            written = await session.execute(
                text("SELECT action, count(*) AS amount FROM audit_entries GROUP BY action")
            )
            assert {row.action: row.amount for row in written} == {
                "archive_run.requested": 1,
                "archive_run.planned": 1,
                "archive_run.batch": 1,
                "archive_run.completed": 1,
            }

    async def test_two_that_apply_at_once_write_every_event_once(self, workflow: World) -> None:
        run_id = str((await workflow.request()).id)
        await activity("begin", run_id)
        await activity("plan", run_id)
        one, other = await asyncio.gather(activity("apply", run_id), activity("apply", run_id))
        assert one["done"] + other["done"] == 3
        # The second caller is told to come back, not that there is nothing left.
        second = one if one["done"] == 0 else other
        assert second["remaining"] == 0 or second["resume_at"] is not None
        assert set((await workflow.copies_by_key()).values()) == {1}

    async def test_a_run_is_patient_for_ten_minutes_after_its_last_progress(self, workflow: World) -> None:
        run_id = str((await workflow.request()).id)
        patient = []
        for step in ("begin", "plan", "apply"):
            await activity(step, run_id)
            workflow.clock.advance(minutes=9)
            patient.append((await activity("begin", run_id))["patient"])
        workflow.clock.advance(minutes=2)
        patient.append((await activity("begin", run_id))["patient"])
        assert patient == [True, True, True, False]

    async def test_an_unknown_run_is_not_anyones(self, workflow: World) -> None:
        unknown = str(uuid4())
        assert (await activity("begin", unknown))["mine"] is False
        with pytest.raises(NotFound):
            await activity("plan", unknown)

    async def test_a_reason_ends_the_run_with_errors(self, workflow: World, client: RecordingClient) -> None:
        run_id = str((await workflow.request()).id)
        await activity("begin", run_id)
        await activity("plan", run_id)
        ended = await activity("finish", {"run_id": run_id, "reason": "the disk is full"}, client)
        assert ended == {"state": "completed_with_errors"}
        run = await one_run(workflow)
        assert run.report is not None
        assert (run.report["reason"], run.report["failed"], run.report["archived"]) == (
            "the disk is full",
            3,
            0,
        )

    async def test_a_cancelled_run_is_no_failure_of_the_job(
        self, workflow: World, client: RecordingClient
    ) -> None:
        await workflow.add_job()
        run_id = (await workflow.request()).id
        await activity("begin", str(run_id))
        await activity("plan", str(run_id))
        async with workflow.database.session() as session:
            await request_cancel(session, run_id)
        assert (await activity("apply", str(run_id)))["done"] == 0
        ended = await activity("finish", {"run_id": str(run_id), "reason": None}, client)
        assert ended == {"state": "cancelled"}
        assert await workflow.job() == (False, 0)

    async def test_answers_are_plain_json_that_the_orchestrator_understands(
        self, workflow: World, client: RecordingClient
    ) -> None:
        run_id = str((await workflow.request()).id)
        # The loop of the test serves the activities while the orchestrator waits in a thread for each.
        loop = asyncio.get_running_loop()

        def on_loop(name: str, *more: Any) -> Any:
            def run(given: Any, _: int) -> Any:
                return asyncio.run_coroutine_threadsafe(activity(name, given, *more), loop).result(60)

            return run

        names = ("begin", "settle", "plan", "apply")
        scripts = {name: on_loop(name) for name in names} | {"finish": on_loop("finish", client)}
        outcome = await asyncio.to_thread(drive, {"run_id": run_id}, scripts)
        assert outcome.result == "completed"
        assert outcome.context.names == ["begin", "settle", "plan", "apply", "settle", "finish"]
        counts = {"planned": 3, "done": 0, "failed": 0}
        assert outcome.context.statuses[2] == {"step": "applying", "percent": 20} | counts
        assert set((await workflow.copies_by_key()).values()) == {1}


class TestQueue:
    """The end of one run is the beginning of the next one."""

    async def test_a_queued_run_waits_and_is_started_by_the_one_that_ends(
        self, workflow: World, client: RecordingClient
    ) -> None:
        first = await workflow.request()
        second = await workflow.request(DAY, DAY + 2 * WEEK)
        assert (await activity("begin", str(first.id)))["mine"] is True
        assert (await activity("begin", str(second.id)))["mine"] is False
        await activity("finish", {"run_id": str(first.id), "reason": None}, client)
        assert started(client) == [WORKFLOW.instance_id(second.id)]
        async with workflow.database.session() as session:
            assert (await session.get_one(ArchiveRun, second.id)).dispatched_at is not None
        assert (await activity("begin", str(second.id)))["mine"] is True

    async def test_a_finish_that_runs_again_starts_what_is_next_again(
        self, workflow: World, client: RecordingClient
    ) -> None:
        # Its process may have died between the report and the start.
        first = await workflow.request()
        second = await workflow.request(DAY, DAY + 2 * WEEK)
        await activity("begin", str(first.id))
        for attempt in (RecordingClient(), client):
            await activity("finish", {"run_id": str(first.id), "reason": None}, attempt)
            assert started(attempt) == [WORKFLOW.instance_id(second.id)]


class TestDriving:
    """Runs that lost their orchestration get another one."""

    @pytest.mark.parametrize(
        "status",
        [None, OrchestrationStatus.FAILED, OrchestrationStatus.COMPLETED, OrchestrationStatus.TERMINATED],
    )
    async def test_an_open_run_without_a_living_instance_is_started(
        self, workflow: World, client: RecordingClient, status: OrchestrationStatus | None
    ) -> None:
        run = await workflow.request()
        if status is not None:
            client.remember(WORKFLOW.instance_id(run.id), status)
        await WORKFLOW.look_after(client, [run.id])
        assert started(client) == [WORKFLOW.instance_id(run.id)]
        assert (await one_run(workflow)).dispatched_at is not None

    @pytest.mark.parametrize(
        "status",
        [
            OrchestrationStatus.RUNNING,
            OrchestrationStatus.PENDING,
            OrchestrationStatus.SUSPENDED,
            OrchestrationStatus.CONTINUED_AS_NEW,
        ],
    )
    async def test_a_living_instance_is_left_alone(
        self, workflow: World, client: RecordingClient, status: OrchestrationStatus
    ) -> None:
        run = await workflow.request()
        client.remember(WORKFLOW.instance_id(run.id), status)
        await WORKFLOW.look_after(client, [run.id])
        assert client.started == []

    async def test_the_timer_starts_a_requested_run_whose_start_was_lost(
        self, workflow: World, client: RecordingClient
    ) -> None:
        run = await workflow.request()
        await tick(client)
        assert started(client) == [WORKFLOW.instance_id(run.id)]

    async def test_the_timer_gives_a_fresh_start_time_and_then_looks_again(
        self, workflow: World, client: RecordingClient
    ) -> None:
        run = await workflow.request()
        await start_archive_run(client, run.id)
        lost = RecordingClient()
        await tick(lost)
        assert lost.started == []
        workflow.clock.advance(seconds=30)
        await tick(lost)
        assert started(lost) == [WORKFLOW.instance_id(run.id)]
        # The one that knows the instance as living does nothing, however late it is.
        workflow.clock.advance(hours=3)
        await tick(client)
        assert len(client.started) == 1

    async def test_a_run_that_lost_its_orchestration_in_mid_work_is_driven_within_a_minute(
        self, workflow: World, client: RecordingClient
    ) -> None:
        run = await workflow.request()
        await start_archive_run(client, run.id)
        await activity("begin", str(run.id))
        await activity("plan", str(run.id))
        client.remember(WORKFLOW.instance_id(run.id), OrchestrationStatus.FAILED)
        waited = 0
        while len(client.started) == 1 and waited < 300:
            workflow.clock.advance(seconds=TICK)
            waited += TICK
            await tick(client)
        assert (len(client.started), waited) == (2, TICK)
        await workflow.drive(run.id)
        assert set((await workflow.copies_by_key()).values()) == {1}

    async def test_nobody_asks_for_the_orchestration_of_a_run_that_makes_progress(
        self, workflow: World, client: RecordingClient
    ) -> None:
        run = await workflow.request()
        await start_archive_run(client, run.id)
        await activity("begin", str(run.id))
        await activity("plan", str(run.id))
        workflow.clock.advance(minutes=5)
        await activity("apply", str(run.id))
        await tick(client)
        assert client.looked_up == []
        workflow.clock.advance(seconds=TICK)
        await tick(client)
        assert client.looked_up == [WORKFLOW.instance_id(run.id)]

    async def test_one_that_cannot_be_looked_up_keeps_no_other_one_waiting(
        self, workflow: World, client: RecordingClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        run = await workflow.request()
        unknown = uuid4()

        class Faulty(RecordingClient):
            async def get_orchestration_state(self, instance: str, *, fetch_payloads: bool = True) -> Any:
                if instance == WORKFLOW.instance_id(unknown):
                    raise refused(grpc.StatusCode.UNAVAILABLE)
                return await super().get_orchestration_state(instance, fetch_payloads=fetch_payloads)

        faulty = Faulty()
        await WORKFLOW.look_after(faulty, [unknown, run.id])
        assert started(faulty) == [WORKFLOW.instance_id(run.id)]
        assert "cannot be looked up" in caplog.text

    async def test_a_run_that_is_over_is_not_driven(self, workflow: World, client: RecordingClient) -> None:
        run = await workflow.request()
        await activity("begin", str(run.id))
        await activity("finish", {"run_id": str(run.id), "reason": None}, client)
        workflow.clock.advance(hours=1)
        await tick(client)
        assert client.started == []


class TestStarting:
    """An instance that exists already is what was wanted."""

    async def test_starting_what_runs_already_is_success(
        self, workflow: World, client: RecordingClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        run = await workflow.request()
        client.remember(WORKFLOW.instance_id(run.id), OrchestrationStatus.RUNNING)
        with caplog.at_level("DEBUG"):
            await start_archive_run(client, run.id)
        assert client.started == []
        assert (await one_run(workflow)).dispatched_at is not None
        assert all(record.levelname in ("DEBUG", "INFO") for record in caplog.records)
        assert not any(record.exc_info for record in caplog.records)

    async def test_finishing_succeeds_though_the_following_run_was_started_in_between(
        self, workflow: World, client: RecordingClient
    ) -> None:
        first = await workflow.request()
        second = await workflow.request(DAY, DAY + 2 * WEEK)
        await activity("begin", str(first.id))
        client.remember(WORKFLOW.instance_id(second.id), OrchestrationStatus.PENDING)
        finished = await activity("finish", {"run_id": str(first.id), "reason": None}, client)
        assert finished == {"state": "completed"}
        assert client.started == []

    @pytest.mark.parametrize("status", [OrchestrationStatus.RUNNING, None])
    async def test_a_refusal_in_other_words_is_success_only_if_the_instance_lives(
        self, workflow: World, status: OrchestrationStatus | None
    ) -> None:
        class Vague(RecordingClient):
            async def schedule_new_orchestration(self, *_: Any, **__: Any) -> str:
                raise refused(grpc.StatusCode.INTERNAL)

        run, client = await workflow.request(), Vague()
        if status is not None:
            client.remember(WORKFLOW.instance_id(run.id), status)
            await start_archive_run(client, run.id)
            return
        with pytest.raises(grpc.aio.AioRpcError):
            await start_archive_run(client, run.id)
        assert (await one_run(workflow)).dispatched_at is None

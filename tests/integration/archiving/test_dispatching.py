"""The dispatching timer over a real database and mailbox, without a host."""

import asyncio
from datetime import UTC, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.models.runs import ArchiveRun
from shared.domain.jobs.job import JobKind
from shared.triggers import timers
from shared.triggers.archive_workflow import WORKFLOW
from tests.integration.archiving.durable import RecordingClient, function_of
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.worker import one_run, started, tick
from tests.integration.archiving.world import DAY, World

WEEK = timedelta(days=7)


class TestDispatch:
    """Due jobs are claimed once: the run and the job's next instant in one transaction (domain.md 8.2)."""

    async def _job(self, world: World) -> Job:
        async with world.database.session() as session:
            return (await session.execute(select(Job).where(Job.kind == JobKind.ARCHIVE))).scalar_one()

    async def _set(self, world: World, **values: Any) -> None:
        async with world.database.session() as session:
            await session.execute(update(ArchiveConfiguration).values(**values))

    async def test_a_due_job_leads_to_one_run_and_moves_on(
        self, workflow: World, client: RecordingClient
    ) -> None:
        await workflow.add_job()
        now = workflow.clock.now()
        await tick(client)
        run, job = await one_run(workflow), await self._job(workflow)
        assert started(client) == [WORKFLOW.instance_id(run.id)]
        assert (run.kind, run.job_id, run.scheduled_for) == ("nightly", job.id, DAY)
        assert run.requested_by == "system:dispatch_due_jobs"
        # The first nightly run starts at the configuration's archive_from and ends with today's start.
        assert run.window_start == DAY - timedelta(days=1)
        assert run.window_end == now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        assert job.next_run_at is not None
        assert now < job.next_run_at <= now + timedelta(days=1)
        assert (job.next_run_at.hour, job.next_run_at.minute) == (2, 0)
        await tick(client)
        assert len(client.started) == 1

    async def test_two_timers_at_once_claim_a_job_once(self, workflow: World) -> None:
        await workflow.add_job()
        clients = [RecordingClient() for _ in range(3)]
        await asyncio.gather(*(tick(client) for client in clients))
        run = await one_run(workflow)
        instances = [instance for client in clients for instance in started(client)]
        assert set(instances) == {WORKFLOW.instance_id(run.id)}

    async def test_a_claim_whose_start_fails_is_started_by_the_next_tick(
        self, workflow: World, client: RecordingClient
    ) -> None:
        class Away(RecordingClient):
            async def schedule_new_orchestration(self, *_: Any, **__: Any) -> str:
                raise ConnectionError("the host is away")

        await workflow.add_job()
        await tick(Away())
        run, job = await one_run(workflow), await self._job(workflow)
        assert run.state == "queued"
        assert job.next_run_at is not None
        assert job.next_run_at > workflow.clock.now()
        await tick(client)
        assert started(client) == [WORKFLOW.instance_id(run.id)]

    async def test_the_request_of_a_nightly_run_is_audited_as_the_systems(
        self, workflow: World, client: RecordingClient
    ) -> None:
        await workflow.add_job()
        await tick(client)
        run = await one_run(workflow)
        async with workflow.database.session() as session:
            entry = (
                await session.execute(
                    text("SELECT actor, correlation_id, on_behalf_of, resource_id FROM audit_entries")
                )
            ).one()
        assert entry.actor == "system:dispatch_due_jobs"
        assert (entry.correlation_id, entry.resource_id) == (run.correlation_id, str(run.id))
        assert entry.on_behalf_of == run.owner_id

    async def test_the_second_night_continues_where_the_first_one_ended_with_lookback(
        self, workflow: World, client: RecordingClient
    ) -> None:
        until = DAY + timedelta(days=30)
        await self._set(workflow, archived_until=until, lookback_days=5)
        await workflow.add_job()
        await tick(client)
        assert (await one_run(workflow)).window_start == until - timedelta(days=5)

    @pytest.mark.parametrize("nothing", ["inactive", "empty", "paused"])
    async def test_nothing_to_do_starts_nothing(
        self, workflow: World, client: RecordingClient, nothing: str
    ) -> None:
        await workflow.add_job()
        match nothing:
            case "inactive":
                await self._set(workflow, active=False)
            case "empty":
                await self._set(workflow, archive_from=workflow.clock.now().date() + timedelta(days=1))
            case _:
                async with workflow.database.session() as session:
                    await session.execute(update(Job).values(paused=True))
        await tick(client)
        assert client.started == []
        async with workflow.database.session() as session:
            assert (await session.execute(select(ArchiveRun))).all() == []
        job = await self._job(workflow)
        # A job without work moves on all the same; a paused one keeps its place.
        assert job.next_run_at is not None
        assert (job.next_run_at == DAY) is (nothing == "paused")

    async def test_a_night_that_is_asked_for_by_hand_too_runs_once(
        self, workflow: World, client: RecordingClient
    ) -> None:
        await workflow.add_job()
        by_hand = (await workflow.start_run(workflow.admin, None, None)).run
        await tick(client)
        run = await one_run(workflow)
        assert (run.id, run.kind) == (by_hand.id, "manual")
        assert set(started(client)) == {WORKFLOW.instance_id(run.id)}


class TestOverlaps:
    async def test_expired_overlaps_are_archived_by_a_run_that_is_started(
        self, workflow: World, client: RecordingClient
    ) -> None:
        await workflow.configure(overlap_policy="flag")
        await workflow.add(*(event(name, DAY + timedelta(hours=9), 60) for name in ("One", "Two")))
        await workflow.archive()
        await function_of(timers.dispatch)(None, client)
        assert client.started == []
        workflow.clock.advance(days=31)
        await function_of(timers.dispatch)(None, client)
        (instance,) = [each for name, _, each in client.started if name == "archive_calendar"]
        await workflow.drive(UUID(instance.removeprefix("archive-")))
        assert {"One", "Two"} <= set(await workflow.subjects())

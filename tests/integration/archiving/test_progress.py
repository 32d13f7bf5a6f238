"""How far a run is, and stopping it (domain.md 2.12)."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from shared import telemetry
from shared.application import Application, use_application
from shared.composition.foundations import Foundations
from shared.database.models.configurations import ArchiveConfiguration
from shared.domain.runs.run_progress import PLANNING_BEGINS, WRITING_BEGINS
from shared.graph import paths
from shared.graph.calendar_adapter import CalendarAdapter
from tests.integration.archiving.durable import RecordingClient
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.worker import activity, client, one_run, workflow
from tests.integration.archiving.world import DAY, World
from tests.support.cancelling import request_cancel

__all__ = ["client", "workflow"]


class TestProgress:
    """How far a run is, in its row (domain.md 2.12); what it says never goes down."""

    async def test_every_step_moves_it_on(self, world: World, client: RecordingClient) -> None:
        await world.open([event(f"Meeting {n}", DAY + timedelta(hours=n)) for n in range(50)])
        settings = world.settings.model_copy(update={"apply_operation_budget": 20})
        app = Application(
            Foundations(settings, clock=world.clock, database=world.database, calendars=world.calendars)
        )
        before = use_application(app)
        run_id = str((await world.request()).id)
        told = [await self._told(world)]
        for given in ("begin", "plan", "apply", "apply", "apply"):
            await activity(given, run_id)
            told.append(await self._told(world))
        await activity("finish", {"run_id": run_id, "reason": None}, client)
        told.append(await self._told(world))
        use_application(before)
        await app.close()
        assert told == [
            (None, 0, 0),
            ("settling", 0, 0),
            ("applying", 20, 0),
            ("applying", 50, 20),
            ("applying", 80, 40),
            ("applying", 95, 50),
            ("finished", 100, 50),
        ]

    async def test_it_moves_on_while_it_is_planned(
        self, world: World, client: RecordingClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await world.open([event(f"Meeting {n}", DAY + timedelta(hours=3 * n)) for n in range(50)])
        run_id, told, read = (await world.request()).id, list[int](), CalendarAdapter.read_window

        async def looked_at(*given: Any) -> AsyncIterator[Any]:
            async for page in read(*given):
                yield page
                told.append((await self._told(world))[1])

        monkeypatch.setattr(paths, "PAGE_SIZE", 10)
        monkeypatch.setattr(CalendarAdapter, "read_window", looked_at)
        await world.plan(run_id)
        assert told == sorted(told)
        assert len(set(told)) == 5
        assert PLANNING_BEGINS < told[0] < told[-1] <= WRITING_BEGINS

    async def test_a_repeated_step_takes_nothing_back(self, workflow: World, client: RecordingClient) -> None:
        run_id = str((await workflow.request()).id)
        for given in ("begin", "plan", "apply", "begin", "plan", "apply"):
            await activity(given, run_id)
        assert (await self._told(workflow))[1:] == (95, 3)
        await activity("finish", {"run_id": run_id, "reason": None}, client)
        await activity("plan", run_id)
        assert await self._told(workflow) == ("finished", 100, 3)

    async def _told(self, world: World) -> tuple[str | None, int, int]:
        run = await one_run(world)
        return run.step, run.progress, run.writes_done


class TestCancel:
    """A run stops before its next batch, and in the middle of its plan (domain.md 2.12)."""

    async def test_while_it_is_planned(
        self, workflow: World, client: RecordingClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run_id = (await workflow.request()).id
        await activity("begin", str(run_id))
        read = CalendarAdapter.read_window

        async def stop_after_reading(*given: Any) -> AsyncIterator[Any]:
            async for page in read(*given):
                async with workflow.database.session() as session:
                    await request_cancel(session, run_id)
                yield page

        monkeypatch.setattr(CalendarAdapter, "read_window", stop_after_reading)
        assert (await activity("plan", str(run_id)))["planned"] == 0
        assert (await activity("apply", str(run_id)))["done"] == 0
        ended = await activity("finish", {"run_id": str(run_id), "reason": None}, client)
        assert ended == {"state": "cancelled"}
        run = await one_run(workflow)
        assert (run.planned_at, run.progress) == (None, 100)
        assert await workflow.copies() == []
        async with workflow.database.session() as session:
            # Nothing of it counts: the next night begins where this one did.
            configuration = await session.get_one(ArchiveConfiguration, workflow.configuration_id)
            assert configuration.archived_until is None
        monkeypatch.undo()
        assert (await workflow.archive())["archived"] == 3

    async def test_between_two_batches(self, world: World, client: RecordingClient) -> None:
        await world.open([event(f"Meeting {n}", DAY + timedelta(hours=n)) for n in range(50)])
        settings = world.settings.model_copy(update={"apply_operation_budget": 20})
        app = Application(
            Foundations(settings, clock=world.clock, database=world.database, calendars=world.calendars)
        )
        before = use_application(app)
        run_id = (await world.request()).id
        for given in ("begin", "plan", "apply"):
            await activity(given, str(run_id))
        async with world.database.session() as session:
            await request_cancel(session, run_id)
        assert (await activity("apply", str(run_id)))["remaining"] == 0
        ended = await activity("finish", {"run_id": str(run_id), "reason": None}, client)
        use_application(before)
        await app.close()
        assert ended == {"state": "cancelled"}
        # What was written stays, a retry writes the rest alone.
        assert len(await world.copies()) == 20
        with telemetry.bind(caller=world.admin, correlation="again"):
            again = await world.archiving.retry_run(world.admin, run_id)
        report = await world.drive(again.run.id)
        assert (report["archived"], report["unchanged"], report["updated"]) == (30, 20, 0)
        assert set((await world.copies_by_key()).values()) == {1}

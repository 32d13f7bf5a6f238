"""What lies before the nightly runs' first day, month by month (domain.md 2.14)."""

import asyncio
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text, update

from shared import telemetry
from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.models.runs import ArchiveRun
from shared.domain.runs.window import local_day_start
from shared.errors import Conflict, NotFound, ValidationFailed
from shared.services.backfilling.service import BackfillView
from shared.triggers import timers
from tests.integration.archiving.durable import RecordingClient, function_of
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.world import World
from tests.integration.verifying.verifier import Verifier
from tests.support.locks import until_blocked

FIRST = date(2025, 11, 20)
NIGHTS = date(2026, 2, 1)


def at(year: int, month: int, day: int, hour: int = 9) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


EVENTS = [
    event("Last of November", at(2025, 11, 30, 23), minutes=120),
    event("December", at(2025, 12, 5)),
    event("New Year", at(2026, 1, 1, 0)),
    event("Before the nights", at(2026, 1, 31)),
    event("Of the nights", at(2026, 2, 1, 0)),
]


class Backfiller:
    """Asks for backfills and lets their months run."""

    def __init__(self, world: World, verifier: Verifier) -> None:
        self.world, self.verifier = world, verifier
        self.backfills = verifier.app.archiving.backfills

    async def start(self, archive_from: date | None = None) -> UUID:
        """Start it, or start it over; the first month's run."""
        with telemetry.bind(caller=self.world.admin, correlation="backfill"):
            _, run_id = await self.backfills.start(
                self.world.admin, self.world.configuration_id, archive_from
            )
        assert run_id is not None
        return run_id

    async def go_on(self, run_id: UUID | None) -> list[dict[str, Any]]:
        """Let month after month run, as each starts the next; their reports."""
        reports = []
        while run_id is not None:
            started = await self.verifier.run(run_id)
            reports.append((await self.world.view(run_id)).run.report or {})
            run_id = UUID(started[0].removeprefix("archive-")) if started else None
        return reports

    async def view(self) -> BackfillView:
        """As an admin sees it."""
        return await self.backfills.get(self.world.admin, self.world.configuration_id)

    async def pause(self) -> BackfillView:
        """Let it wait."""
        with telemetry.bind(caller=self.world.admin, correlation="pause"):
            return await self.backfills.pause(self.world.admin, self.world.configuration_id)

    async def resume(self) -> UUID | None:
        """Let it continue."""
        with telemetry.bind(caller=self.world.admin, correlation="resume"):
            return (await self.backfills.resume(self.world.admin, self.world.configuration_id))[1]

    async def windows(self) -> list[tuple[str, datetime, datetime]]:
        """All runs: kind and window, oldest first."""
        async with self.world.database.session() as session:
            runs = (await session.execute(select(ArchiveRun).order_by(ArchiveRun.created_at))).scalars()
            return [(run.kind, run.window_start, run.window_end) for run in runs]


@pytest.fixture
async def backfill(world: World, verifier: Verifier) -> Backfiller:
    """A configuration whose nightly runs begin in February 2026 and whose archive begins before."""
    await world.open(EVENTS, archive_from=FIRST, nightly_from=NIGHTS)
    return Backfiller(world, verifier)


async def tick(client: RecordingClient) -> None:
    """One turn of the timer."""
    await function_of(timers.dispatch)(None, client)


async def test_months_are_archived_oldest_first_up_to_the_first_night(
    backfill: Backfiller, world: World
) -> None:
    first = await backfill.start()
    assert (await backfill.view()).progress.months_total == 3
    reports = await backfill.go_on(first)
    assert [report["archived"] for report in reports] == [1, 1, 2]
    assert await backfill.windows() == [
        ("backfill", at(2025, 11, 20, 0), at(2025, 12, 1, 0)),
        ("backfill", at(2025, 12, 1, 0), at(2026, 1, 1, 0)),
        ("backfill", at(2026, 1, 1, 0), at(2026, 2, 1, 0)),
    ]
    view = await backfill.view()
    assert (view.state, view.progress.percent, view.progress.months_done) == ("completed", 100, 3)
    assert set((await world.copies_by_key()).values()) == {1}
    assert len(await world.copies()) == 4


async def test_one_notification_tells_how_far_it_is_from_its_first_month_to_its_end(
    backfill: Backfiller, world: World
) -> None:
    async def told() -> list[tuple[Any, ...]]:
        rows = await world.rows("SELECT * FROM notifications ORDER BY created_at")
        return [(row["class"], row["state"], row["percent"], row["text"]) for row in rows]

    run_id: UUID | None = await backfill.start()
    assert await told() == []
    seen = []
    while run_id is not None:
        started = await backfill.verifier.run(run_id)
        (now,) = await told()
        seen.append(now[1:])
        run_id = UUID(started[0].removeprefix("archive-")) if started else None
    since = "months from 20 November 2025 on"
    assert seen == [
        ("progress", 33, f"1 of 3 {since} is archived."),
        ("progress", 66, f"2 of 3 {since} are archived."),
        ("info", 100, f"3 of 3 {since} are archived."),
    ]
    (row,) = await world.rows("SELECT * FROM notifications")
    assert (row["class"], row["version"], row["resource_id"]) == ("run_finished", 3, world.configuration_id)


async def test_it_leaves_the_nightly_instant_alone_and_the_first_night_starts_at_its_own(
    backfill: Backfiller, world: World
) -> None:
    await backfill.go_on(await backfill.start())
    async with world.database.session() as session:
        configuration = await session.get_one(ArchiveConfiguration, world.configuration_id)
        assert configuration.archived_until is None
    night = (await world.start_run(world.admin, None, None)).run
    assert night.window_start == at(2026, 2, 1, 0)
    await backfill.verifier.run(night.id)
    async with world.database.session() as session:
        configuration = await session.get_one(ArchiveConfiguration, world.configuration_id)
        assert configuration.archived_until == night.window_end
    assert len(await world.copies()) == 5
    assert set((await world.copies_by_key()).values()) == {1}


async def test_an_empty_month_costs_one_read(backfill: Backfiller, world: World) -> None:
    run_id = await backfill.start(date(2025, 9, 1))
    world.simulator.counters.reset()
    await backfill.verifier.run(run_id)
    run = (await world.view(run_id)).run
    assert run.report is not None
    assert (run.report["source"], run.graph_requests, run.round_trips) == (0, 1, 1)


async def test_the_timer_continues_after_a_crash_between_two_months(
    backfill: Backfiller, world: World
) -> None:
    first = await backfill.start()
    async with world.archiving.acting_for(first):
        await world.archiving.begin(first)
        await world.archiving.plan(first)
        await world.archiving.apply(first)
        await world.archiving.finish(first)
    client = RecordingClient()
    await tick(client)
    windows = await backfill.windows()
    assert [kind for kind, _, _ in windows] == ["backfill", "backfill"]
    assert len(client.started) == 1
    # While the month is in progress, nothing more is queued.
    await tick(client)
    assert len(await backfill.windows()) == 2


async def test_two_that_continue_at_once_queue_one_month(backfill: Backfiller, world: World) -> None:
    first = await backfill.start()
    await backfill.world.drive(first)
    one, other = await backfill.backfills.advance(first), await backfill.backfills.claim_due()
    assert (one is not None, other) == (True, [])
    assert await backfill.backfills.advance(first) is None
    assert len(await backfill.windows()) == 2


async def test_started_over_it_waits_for_its_month_and_lets_the_run_write(
    backfill: Backfiller, world: World
) -> None:
    """It held the configuration and waited for the run, whose new rows refer to the configuration."""
    first = await backfill.start()
    async with world.database.session() as run:
        await run.execute(update(ArchiveRun).where(ArchiveRun.id == first).values(progress=1))
        starting = asyncio.create_task(backfill.start())
        await until_blocked(world.database, starting)
        # As the foreign key of a row that is inserted does.
        referred = text("SELECT id FROM archive_configurations FOR KEY SHARE NOWAIT")
        assert (await run.execute(referred)).scalar_one() == world.configuration_id
    assert await starting == first


async def test_paused_it_finishes_its_month_and_resumed_it_continues(
    backfill: Backfiller, world: World
) -> None:
    first = await backfill.start()
    assert (await backfill.pause()).state == "paused"
    assert len(await backfill.go_on(first)) == 1
    world.clock.advance(hours=1)
    await tick(RecordingClient())
    view = await backfill.view()
    assert (view.state, view.progress.months_done, view.progress.percent) == ("paused", 1, 33)
    assert len(await backfill.windows()) == 1
    following = await backfill.resume()
    assert following is not None
    assert len(await backfill.go_on(following)) == 2
    with pytest.raises(Conflict):
        await backfill.pause()


async def test_a_night_that_is_queued_goes_before_the_next_month(backfill: Backfiller, world: World) -> None:
    first = await backfill.start()
    night = (await world.start_run(world.admin, None, None)).run
    started = await backfill.verifier.run(first)
    assert started == [f"archive-{night.id}"]
    month = (await backfill.view()).backfill.run_id
    assert await backfill.verifier.run(night.id) == [f"archive-{month}"]


async def test_a_month_that_cannot_be_read_is_tried_again_later_and_five_failures_pause(
    backfill: Backfiller, world: World
) -> None:
    run_id: UUID | None = await backfill.start()
    waits = []
    for _ in range(5):
        assert run_id is not None
        assert (await world.archiving.begin(run_id)).mine
        async with world.archiving.acting_for(run_id):
            await world.archiving.finish(run_id, "Graph is away")
        assert await backfill.backfills.advance(run_id) is None
        view = await backfill.view()
        assert (view.backfill.reason, view.progress.months_done) == ("Graph is away", 0)
        assert view.job.next_run_at is not None
        waits.append(round((view.job.next_run_at - world.clock.now()).total_seconds() / 60))
        assert await backfill.backfills.claim_due() == []
        world.clock.advance(hours=7)
        run_id = next(iter(await backfill.backfills.claim_due()), None)
    assert waits == [5, 10, 20, 40, 80]
    assert ((await backfill.view()).state, run_id) == ("paused", None)
    run_id = await backfill.resume()
    assert len(await backfill.go_on(run_id)) == 3
    assert await backfill.view()


async def test_a_month_with_failed_writes_is_done_and_the_night_retries_them(
    backfill: Backfiller, world: World
) -> None:
    refusal = {"kind": "status", "status": 403, "code": "ErrorAccessDenied"}
    world.simulator.faults.add({"match": {"method": "POST", "in_batch": True}, **refusal})
    reports = await backfill.go_on(await backfill.start())
    # The months after it have other work than to try it again.
    assert [(report["archived"], report["failed"]) for report in reports] == [(0, 1), (1, 0), (2, 0)]
    view = await backfill.view()
    assert (view.state, view.job.consecutive_failures) == ("completed", 0)
    night = (await world.start_run(world.admin, None, None)).run
    await backfill.verifier.run(night.id)
    assert len(await world.copies()) == 5


async def test_cancelling_its_month_pauses_it(backfill: Backfiller, world: World) -> None:
    first = await backfill.start()
    await world.archiving.begin(first)
    with telemetry.bind(caller=world.admin, correlation="cancel"):
        await backfill.verifier.app.archiving.runs.cancel(world.admin, first)
    assert await backfill.verifier.run(first) == []
    run = (await world.view(first)).run
    assert (run.state, run.planned_at) == ("cancelled", None)
    view = await backfill.view()
    assert (view.state, view.progress.months_done) == ("paused", 0)
    assert await backfill.resume() is not None


async def test_from_an_earlier_day_nothing_is_doubled_and_the_archive_begins_there(
    backfill: Backfiller, world: World
) -> None:
    await backfill.go_on(await backfill.start())
    await world.add(event("October", at(2025, 10, 7)))
    reports = await backfill.go_on(await backfill.start(date(2025, 10, 1)))
    assert [report["archived"] for report in reports] == [1, 0, 0, 0]
    assert [report["unchanged"] for report in reports] == [0, 1, 1, 2]
    async with world.database.session() as session:
        configuration = await session.get_one(ArchiveConfiguration, world.configuration_id)
        assert configuration.archive_from == date(2025, 10, 1)
    assert set((await world.copies_by_key()).values()) == {1}


async def test_another_zone_leaves_no_hour_between_backfill_and_nights(
    backfill: Backfiller, world: World
) -> None:
    await backfill.start()
    async with world.database.session() as session:
        await session.execute(update(ArchiveConfiguration).values(time_zone="America/New_York"))
    await backfill.go_on((await backfill.view()).backfill.run_id)
    night = (await world.start_run(world.admin, None, None)).run
    windows = sorted(window[1:] for window in await backfill.windows())
    assert all(one[1] >= other[0] for one, other in pairwise(windows))
    assert night.window_start == local_day_start(NIGHTS, ZoneInfo("America/New_York"))


async def test_what_the_nights_cover_needs_no_backfill(world: World, verifier: Verifier) -> None:
    await world.open([], archive_from=NIGHTS)
    await world.archive(at(2026, 2, 1, 0), at(2026, 3, 1, 0))
    backfill = Backfiller(world, verifier)
    with pytest.raises(NotFound):
        await backfill.view()
    with pytest.raises(ValidationFailed):
        await backfill.start()
    assert await backfill.start(date(2026, 1, 1))


async def test_a_deleted_configuration_ends_it(backfill: Backfiller, world: World) -> None:
    await backfill.go_on(await backfill.start())
    await backfill.start(date(2025, 9, 1))
    async with world.database.session() as session:
        await session.execute(text("UPDATE archive_runs SET state = 'cancelled', finished_at = now()"))
        await session.execute(update(ArchiveConfiguration).values(deleted_at=world.clock.now()))
    world.clock.advance(minutes=10)
    assert await backfill.backfills.claim_due() == []
    async with world.database.session() as session:
        job = (await session.execute(select(Job).where(Job.kind == "backfill"))).scalar_one()
        assert (job.paused, job.next_run_at) == (True, None)

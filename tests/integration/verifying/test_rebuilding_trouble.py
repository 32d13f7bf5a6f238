"""Rebuilding a deleted archive calendar, with trouble in between (domain.md 1)."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from shared import telemetry
from shared.domain.action_items.items import Answer
from shared.errors import Conflict, RunInProgress
from shared.services.rebuilding import requests, runs
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_faults import OUTER
from tests.integration.archiving.test_previews import preview
from tests.integration.archiving.world import DAY, World
from tests.integration.verifying.rebuilder import (
    ask,
    drop_calendar,
    meetings,
    names,
    nothing_left_to_do,
    rebuild,
    refusal,
)
from tests.integration.verifying.verifier import WEEK_END, Verifier, activity

LOST = {"match": OUTER, "kind": "lost_answer", "times": None}


class TestCrashes:
    """Between any two steps."""

    @pytest.fixture
    async def made_and_lost(self, world: World, verifier: Verifier, monkeypatch: pytest.MonkeyPatch) -> None:
        """The process dies after the calendar was made and before anybody wrote that down."""
        await world.open(meetings(3))
        await world.archive()
        drop_calendar(world)

        async def die(*_: Any) -> Any:
            raise RuntimeError("killed")

        with monkeypatch.context() as patched:
            patched.setattr(requests.RebuildRequests, "_move", die)
            with pytest.raises(RuntimeError, match="killed"):
                await ask(verifier)
        assert names(world) == ["Archive", "Calendar"]

    @pytest.mark.usefixtures("made_and_lost")
    async def test_the_calendar_that_was_made_is_taken(self, world: World, verifier: Verifier) -> None:
        assert (await rebuild(verifier))["archived"] == 3
        assert names(world) == ["Archive", "Calendar"]
        await nothing_left_to_do(verifier)

    @pytest.mark.usefixtures("made_and_lost")
    async def test_one_that_came_into_use_is_its_owners(self, world: World, verifier: Verifier) -> None:
        await world.add_to_archive(await world.source("Meeting 0") | {"singleValueExtendedProperties": []})
        assert await refusal(verifier) == "calendar_name_taken"
        assert len(await world.copies()) == 1

    async def test_a_calendar_of_that_name_that_we_did_not_make_is_its_owners(
        self, world: World, verifier: Verifier
    ) -> None:
        await world.open(meetings(1))
        await world.archive()
        drop_calendar(world)
        await world.calendars.create_calendar(str(world.person_id), "archive")
        assert await refusal(verifier) == "calendar_name_taken"
        assert names(world) == ["Calendar", "archive"]

    async def test_a_plan_that_died_is_made_again(
        self, world: World, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await world.open(meetings(9))
        await world.archive()
        drop_calendar(world)
        monkeypatch.setattr(runs, "CHUNK", 2)
        run_id = await ask(verifier)
        begun = await activity("begin", str(run_id))
        assert begun["mine"]
        real, pages = runs.RebuildRuns._draft, 0

        async def die(*given: Any) -> None:
            nonlocal pages
            pages += 1
            if pages == 3:
                raise RuntimeError("killed")
            await real(*given)

        with monkeypatch.context() as patched:
            patched.setattr(runs.RebuildRuns, "_draft", die)
            with pytest.raises(RuntimeError, match="killed"):
                await activity("plan", str(run_id))
        planned = await activity("plan", str(run_id))
        again = await activity("plan", str(run_id))
        assert (planned["planned"], again) == (9, planned)
        await verifier.run(run_id)
        assert len(await world.copies()) == 9
        await nothing_left_to_do(verifier)


async def test_asking_twice_leads_to_one_run(world: World, verifier: Verifier) -> None:
    await world.open(meetings(2))
    await world.archive()
    drop_calendar(world)
    first, second = await ask(verifier), await ask(verifier)
    assert first == second
    await verifier.run(first)
    assert len(await world.copies()) == 2


async def test_what_was_sent_to_the_former_calendar_is_obsolete_and_made_by_the_next_night(
    world: World, verifier: Verifier
) -> None:
    await world.open(meetings(2))
    await world.archive()
    await world.add(event("New", DAY + timedelta(hours=20), 30))
    await world.edit((await world.source("Meeting 0"))["id"], subject="Meeting 0, changed")
    fault = world.simulator.faults.add({**LOST})
    run = await world.request()
    await world.plan(run.id)
    await world.apply(run.id)
    await world.finish(run.id)
    fault.times = 0
    assert len(await world.rows("SELECT id FROM archive_operations WHERE state = 'sent'")) == 2
    drop_calendar(world)
    # The copy of the new event may have been there.
    assert (await rebuild(verifier))["archived"] == 3
    assert await world.rows("SELECT id FROM archive_operations WHERE state = 'sent'") == []
    moot = await world.rows("SELECT state FROM archive_operations WHERE error_code = 'archive_calendar_gone'")
    assert [row["state"] for row in moot] == ["cancelled", "cancelled"]
    # Another window: what was not written is remembered, at any place (domain.md 2.2).
    report = await world.archive(WEEK_END, WEEK_END + timedelta(days=7))
    assert report["state"] == "completed"
    assert await world.subjects() == ["Meeting 0, changed", "Meeting 1", "New"]
    await nothing_left_to_do(verifier)


@pytest.mark.parametrize("minutes", [1, 11], ids=["sent again", "looked up"])
async def test_a_copy_whose_calendar_was_deleted_before_its_answer_came_is_made_again(
    world: World, verifier: Verifier, minutes: int
) -> None:
    """The refusal of the same write in the deleted calendar was taken for a copy that never existed."""
    await world.open(meetings(1))
    await world.add_job()
    world.simulator.faults.add({**LOST, "times": 1})
    run = await world.request()
    await world.plan(run.id)
    await world.apply(run.id)
    assert await world.subjects() == ["Meeting 0"]
    drop_calendar(world)
    await world.delete((await world.source("Meeting 0"))["id"])
    world.clock.advance(minutes=minutes)
    assert (await world.drive(run.id))["state"] == "completed_with_errors"
    # The next night finds out that the calendar is gone.
    night = await world.request()
    await world.drive(night.id)
    assert ((await world.view(night.id)).run.plan or {})["code"] == "archive_calendar_gone"
    assert (await world.job())[0]
    assert (await rebuild(verifier))["archived"] == 1
    assert await world.subjects() == ["Meeting 0"]
    # The next run finds out that the event is gone, and its copy stays (2.4).
    assert (await world.archive())["source_deleted"] == 1
    await nothing_left_to_do(verifier)


async def test_a_rebuild_that_was_cancelled_is_taken_up_where_it_stopped(
    world: World, verifier: Verifier
) -> None:
    world.settings = world.settings.model_copy(update={"apply_operation_budget": 20})
    await world.open(meetings(45))
    await world.add_job()
    await world.archive()
    drop_calendar(world)
    await world.archive()
    run_id = str(await ask(verifier))
    verifier.app.archiving.service = world.service()
    for step, given in (
        ("begin", run_id),
        ("settle", {"run_id": run_id, "attempt": 0}),
        ("plan", run_id),
        ("apply", run_id),
    ):
        await activity(step, given)
    with telemetry.bind(caller=world.admin, correlation="cancel"):
        await verifier.app.archiving.runs.cancel(world.admin, UUID(run_id))
    await verifier.run(UUID(run_id))
    stopped = (await world.view(UUID(run_id))).run
    assert stopped.state == "cancelled"
    there = len(await world.copies())
    assert 0 < there < 45
    assert (await world.job())[0]
    assert (await rebuild(verifier))["archived"] == 45 - there
    assert not (await world.job())[0]
    await nothing_left_to_do(verifier)


async def test_no_other_run_archives_until_the_rest_is_rebuilt(world: World, verifier: Verifier) -> None:
    await world.open(meetings(2))
    await world.archive()
    drop_calendar(world)
    run_id = await ask(verifier)
    with telemetry.bind(caller=world.admin, correlation="cancel"):
        await verifier.app.archiving.runs.cancel(world.admin, run_id)
    night = await world.request()
    await world.drive(night.id)
    refused = (await world.view(night.id)).run
    assert (refused.state, (refused.plan or {})["code"]) == ("failed", "archive_calendar_gone")
    with pytest.raises(Conflict) as dry_run:
        await preview(world)
    assert dry_run.value.code == "archive_calendar_gone"
    assert (await rebuild(verifier))["archived"] == 2
    assert (await world.archive())["state"] == "completed"
    await nothing_left_to_do(verifier)


async def test_a_lost_copy_that_no_longer_fits_the_purpose_is_made_again(
    world: World, verifier: Verifier
) -> None:
    """The run took its event for one that was never archived and left it out. The rebuild passed it over."""
    billable = event("Review", DAY + timedelta(hours=9), 60, categories=["Acme - billable"])
    await world.open([billable], purpose="timesheet")
    await world.archive()
    await lose_the_copy(world, verifier)
    await world.edit((await world.source("Review"))["id"], categories=["Private"])
    report = await world.archive()
    assert (report["archived"], report["left_out"]) == (1, 0)
    assert await refusal(verifier) == "archive_calendar_exists"
    assert await world.subjects() == ["Review"]
    await nothing_left_to_do(verifier)


def refuse_one_create(world: World) -> None:
    """Graph answers 400 to the next write of a copy."""
    world.simulator.faults.add(
        {"match": {"method": "POST", "in_batch": True}, "kind": "status", "status": 400, "times": 1}
    )


async def lose_the_copy(world: World, verifier: Verifier) -> None:
    """The calendar is deleted and rebuilt, and the store refuses the only copy."""
    drop_calendar(world)
    refuse_one_create(world)
    assert (await rebuild(verifier))["failed"] == 1


async def lost_before_a_run(world: World, verifier: Verifier, meeting: dict[str, Any]) -> str:
    """A meeting whose copy is lost, and whose event is deleted then; the copy's archive key."""
    await world.open([meeting], purpose="timesheet")
    await world.archive()
    (key,) = await world.copies_by_key()
    await lose_the_copy(world, verifier)
    await world.delete((await world.source("Review"))["id"])
    return key


async def test_a_lost_copy_whose_invitation_is_made_again_keeps_its_key_and_category(
    world: World, verifier: Verifier
) -> None:
    """The run took the row for one that never had a copy, and the hours lost their category."""
    times = DAY + timedelta(hours=9), 60
    key = await lost_before_a_run(
        world, verifier, event("Review", *times, categories=["Acme - billable"], iCalUId="one")
    )
    await world.add(event("Review", *times, iCalUId="one"))
    assert (await world.archive())["left_out"] == 0
    assert await refusal(verifier) == "archive_calendar_exists"
    assert await world.copies_by_key() == {key: 1}
    assert [copy["categories"] for copy in await world.copies()] == [["Acme - billable"]]
    await nothing_left_to_do(verifier)


async def test_a_lost_copy_whose_event_is_entered_again_by_hand_stands_once(
    world: World, verifier: Verifier
) -> None:
    times = DAY + timedelta(hours=9), 60
    key = await lost_before_a_run(
        world, verifier, event("Review", *times, categories=["Acme - billable"], iCalUId="one")
    )
    await world.add(event("Review", *times, categories=["Acme - billable"], iCalUId="another"))
    await world.archive()
    assert await refusal(verifier) == "archive_calendar_exists"
    assert await world.copies_by_key() == {key: 1}
    await nothing_left_to_do(verifier)


async def test_a_lost_copy_whose_event_is_entered_again_later_that_day_is_asked_about(
    world: World, verifier: Verifier
) -> None:
    nine = DAY + timedelta(hours=9)
    billable = {"categories": ["Acme - billable"]}
    key = await lost_before_a_run(world, verifier, event("Review", nine, 60, iCalUId="one", **billable))
    await world.add(event("Review", nine + timedelta(hours=3), 60, iCalUId="another", **billable))
    await world.archive()
    assert len(await world.open_items()) == 1
    assert (await rebuild(verifier))["archived"] == 1
    await world.answer(Answer.ONE_MEETING)
    assert await world.copies_by_key() == {key: 1}
    await nothing_left_to_do(verifier)


async def test_other_runs_wait_until_the_archive_is_rebuilt(world: World, verifier: Verifier) -> None:
    await world.open(meetings(2))
    await world.archive()
    await world.edit((await world.source("Meeting 0"))["id"], subject="Changed")
    drop_calendar(world)
    night = await world.request()
    run_id = await ask(verifier)
    # Before the copies are back it would take them for deleted by hand.
    assert not (await activity("begin", str(night.id)))["mine"]
    started = await verifier.run(run_id)
    assert started == [f"archive-{night.id}"]
    assert (await world.drive(night.id))["updated"] == 1
    assert await world.subjects() == ["Changed", "Meeting 1"]


async def test_while_a_run_is_in_progress_nothing_is_rebuilt(world: World, verifier: Verifier) -> None:
    await world.open(meetings(2))
    await world.archive()
    run = await world.request(DAY, DAY + timedelta(days=1))
    assert (await activity("begin", str(run.id)))["mine"]
    drop_calendar(world)
    with pytest.raises(RunInProgress):
        await ask(verifier)
    assert names(world) == ["Calendar"]


async def test_deleted_again_while_it_is_rebuilt_it_is_rebuilt_again(
    world: World, verifier: Verifier
) -> None:
    await world.open(meetings(3))
    await world.archive()
    drop_calendar(world)
    run_id = await ask(verifier)
    drop_calendar(world)
    await verifier.run(run_id)
    failed = (await world.view(run_id)).run
    assert (failed.state, (failed.plan or {})["code"]) == ("failed", "archive_calendar_gone")
    assert (await rebuild(verifier))["archived"] == 3
    await nothing_left_to_do(verifier)


async def test_one_copy_that_graph_refuses_is_listed_and_the_next_rebuild_tries_it_again(
    world: World, verifier: Verifier
) -> None:
    await world.open(meetings(3))
    await world.add_job()
    await world.archive()
    drop_calendar(world)
    await world.archive()
    refuse_one_create(world)
    report = await rebuild(verifier)
    assert (report["state"], report["archived"], report["failed"]) == ("completed_with_errors", 2, 1)
    assert not (await world.job())[0]
    assert (await rebuild(verifier))["archived"] == 1
    await nothing_left_to_do(verifier)

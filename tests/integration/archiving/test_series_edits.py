"""Series changed as people change them in Outlook, archived before and after (domain.md 2.16, 2.17)."""

from datetime import date, timedelta
from typing import Any

import pytest

from tests.integration.archiving.simulated_mailbox import ADDRESS
from tests.integration.archiving.test_overlaps import adds_up
from tests.integration.archiving.test_same_meeting import FIVE, NINE, nothing_more, starts
from tests.integration.archiving.world import World
from tests.support.series_edits import SeriesEdits, daily
from tests.support.simulator_requests import over_http

HOUR = timedelta(hours=1)
WALL = NINE.replace(tzinfo=None)


async def outlook(world: World) -> SeriesEdits:
    """Ada's Outlook."""
    return SeriesEdits(over_http(world.http, await world.graph_token()), ADDRESS)


async def archived_series(world: World, **fields: Any) -> tuple[SeriesEdits, dict[str, Any]]:
    """Monday to Friday at nine, archived."""
    await world.open([])
    edits = await outlook(world)
    series = await edits.create("Standup", WALL, 15, recurrence=daily(5), **fields)
    assert (await world.archive())["archived"] == 5
    return edits, series


@pytest.mark.parametrize("ids", ["date", "renewed"])
async def test_a_moved_series_leaves_what_was_archived_whatever_becomes_of_the_ids(
    world: World, ids: str
) -> None:
    edits, series = await archived_series(world)
    await edits.switch(occurrence_ids=ids)
    await edits.move_series(series, hours=1)
    report = await world.archive()
    assert (await starts(world), report["unchanged"], adds_up(report)) == (FIVE, 5, True)
    await nothing_more(world)


async def test_a_split_series_that_moves_has_one_copy_each(world: World) -> None:
    edits, series = await archived_series(world)
    copies = {copy["id"] for copy in await world.copies()}
    await edits.split_series(series, date(2026, 3, 4), hours=2)
    report = await world.archive()
    assert (await starts(world), report["repointed"], adds_up(report)) == (FIVE, 3, True)
    assert {copy["id"] for copy in await world.copies()} == copies
    await nothing_more(world)


async def test_a_range_that_ends_sooner_keeps_what_was_archived(world: World) -> None:
    edits, series = await archived_series(world)
    await edits.change_range(series, until=date(2026, 3, 4))
    report = await world.archive()
    assert (await starts(world), report["source_deleted"]) == (FIVE, 2)
    await edits.change_range(series, count=5)
    assert (await world.archive())["archived"] == 0
    assert await starts(world) == FIVE
    await nothing_more(world)


async def test_a_deleted_day_that_its_series_brings_back_keeps_its_copy_and_one_never_archived_gets_none(
    world: World,
) -> None:
    await world.open([])
    edits = await outlook(world)
    series = await edits.create("Standup", WALL, 15, recurrence=daily(5))
    await edits.delete_occurrence(series, date(2026, 3, 3))
    world.clock.advance(minutes=5)
    assert (await world.archive())["archived"] == 4
    await edits.delete_occurrence(series, date(2026, 3, 5))
    assert (await world.archive())["source_deleted"] == 1
    await edits.reset_exceptions(series)
    report = await world.archive()
    assert (await starts(world), report["left_out"], report["archived"]) == ([FIVE[0], *FIVE[2:]], 1, 0)
    await nothing_more(world)


@pytest.mark.parametrize("exceptions", ["reset", "kept"])
async def test_exceptions_of_a_moved_series_stay_where_they_took_place(world: World, exceptions: str) -> None:
    await world.open([])
    edits = await outlook(world)
    await edits.switch(exceptions_on_time_change=exceptions)
    series = await edits.create("Standup", WALL, 15, recurrence=daily(5))
    await edits.drag_occurrence(series, date(2026, 3, 4), WALL + timedelta(days=2, hours=6), minutes=45)
    await world.archive()
    await edits.move_series(series, hours=1)
    report = await world.archive()
    assert await starts(world) == [*FIVE[:2], "2026-03-04T15:00", *FIVE[3:]]
    assert adds_up(report)
    await nothing_more(world)


async def test_another_organizer_of_the_same_item_updates_its_copies(world: World) -> None:
    edits, series = await archived_series(world)
    await edits.replace_organizer(series, "carol@example.test")
    assert (await world.archive())["updated"] == 5
    assert await starts(world) == FIVE
    await nothing_more(world)


async def test_a_series_invited_again_keeps_copies_and_categories(world: World) -> None:
    edits, series = await archived_series(world, categories=["Acme - billable"])
    copies = {copy["id"] for copy in await world.copies()}
    await edits.new_invitation(series)
    report = await world.archive()
    assert (report["repointed"], report["archived"]) == (5, 0)
    assert {copy["id"] for copy in await world.copies()} == copies
    assert all(copy["categories"] == ["Acme - billable"] for copy in await world.copies())
    await nothing_more(world)


async def test_a_series_moved_to_another_calendar_and_back_has_one_copy_each(world: World) -> None:
    edits, series = await archived_series(world)
    await edits.move_to_calendar(series, "Archive")
    await world.archive()
    await edits.move_to_calendar(series, "Calendar")
    await world.archive()
    assert await starts(world) == FIVE
    await nothing_more(world)

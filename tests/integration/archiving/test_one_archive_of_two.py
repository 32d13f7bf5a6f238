"""Two archives of one owner: an event goes from one to the other, or is asked about in both (2.4, 2.18)."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.database.models.configurations import ArchiveConfiguration
from shared.domain.action_items.items import Answer
from shared.domain.planning.decision import Action
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_previews import preview
from tests.integration.archiving.test_same_meeting import HOUR, NINE, nothing_more
from tests.integration.archiving.world import World


async def another(world: World, *, source: str = "Calendar", archive: str = "Archive") -> World:
    """The same world seen by a second configuration of its owner; calendars that are missing are made."""
    calendars = {each.name: each.id for each in await world.calendars.list_calendars(str(world.person_id))}
    for name in (source, archive):
        if name not in calendars:
            made = await world.calendars.create_calendar(str(world.person_id), name)
            calendars[name] = made.id
    async with world.database.session() as session:
        main = await session.get_one(ArchiveConfiguration, world.configuration_id)
        kept = {
            column.key: getattr(main, column.key) for column in ArchiveConfiguration.__mapper__.column_attrs
        }
        other = ArchiveConfiguration(
            **kept
            | {
                "id": uuid4(),
                "name": "Other",
                "is_default": False,
                "source_calendar_id": calendars[source],
                "archive_calendar_id": calendars[archive],
            }
        )
        session.add(other)
    seen = replace(world, configuration_id=other.id)
    for name in ("_http", "graph", "calendars", "archiving", "admin"):
        setattr(seen, name, getattr(world, name))
    return seen


async def owner_of_copy(world: World) -> UUID:
    """The configuration of the one row with a copy."""
    (row,) = await world.rows(
        "SELECT e.configuration_id, a.configuration_id AS recorded FROM archived_events e"
        " JOIN appointments a ON a.archived_event_id = e.id WHERE e.copy_id IS NOT NULL"
    )
    assert row["configuration_id"] == row["recorded"]
    return UUID(str(row["configuration_id"]))


@pytest.mark.parametrize("first", ["the one that had it", "the one that reads it now"])
async def test_an_event_moved_to_a_calendar_of_the_same_archive_keeps_its_one_copy(
    world: World, first: str
) -> None:
    await world.open([event("Review", NINE)])
    team = await another(world, source="Team")
    await world.archive()
    copy = await world.copy("Review")
    await world.move((await world.source("Review"))["id"], "Team")
    planned = await preview(team)
    assert Action.CREATE not in planned.counts
    runs: list[World] = [world, team] if first == "the one that had it" else [team, world]
    reports: list[dict[str, Any]] = [await each.archive() for each in runs]
    assert sum(report["archived"] for report in reports) == 0
    assert (await world.copy("Review"))["id"] == copy["id"]
    assert await owner_of_copy(world) == team.configuration_id
    await nothing_more(team)
    await nothing_more(world)
    await world.move((await team_event(world))["id"], "Calendar")
    await world.archive()
    await team.archive()
    assert (await world.copy("Review"))["id"] == copy["id"]
    assert await owner_of_copy(world) == world.configuration_id


async def test_an_event_that_went_to_the_other_configuration_keeps_its_copy_when_it_is_entered_again(
    world: World,
) -> None:
    await world.open([event("Review", NINE)])
    team = await another(world, source="Team")
    await world.archive()
    copy = await world.copy("Review")
    await world.move((await world.source("Review"))["id"], "Team")
    await world.add(event("Review", NINE))
    report = await world.archive()
    assert (report["archived"], report["repointed"]) == (1, 0)
    assert (await team.archive())["archived"] == 0
    owners = await world.rows(
        "SELECT configuration_id FROM archived_events WHERE copy_id = :id", id=copy["id"]
    )
    assert [UUID(str(each["configuration_id"])) for each in owners] == [team.configuration_id]


async def test_a_copy_that_a_decision_left_out_counts_in_the_configuration_that_takes_it_over(
    world: World,
) -> None:
    await world.open([event("Review", NINE), event("Beside", NINE + HOUR / 2)])
    team = await another(world, source="Team")
    await world.archive()
    (group,) = await world.groups()
    await world.drive(await world.resolve(group["id"], "Beside"))
    left_out = "SELECT subject FROM appointments WHERE excluded = 'resolution'"
    assert [each["subject"] for each in await world.rows(left_out)] == ["Review"]
    await world.move((await world.source("Review"))["id"], "Team")
    await world.archive()
    await team.archive()
    assert [each["status"] for each in await world.groups()] == ["closed"]
    assert await world.rows(left_out) == []


async def team_event(world: World) -> dict[str, Any]:
    """The one event of the calendar Team."""
    (found,) = await world.events("Team")
    return found


async def test_the_same_question_in_two_archives_is_answered_once(world: World) -> None:
    await world.open([event("Review", NINE)])
    second = await another(world, archive="Second")
    for each in (world, second):
        await each.archive()
    await world.delete((await world.source("Review"))["id"])
    await world.add(event("Review", NINE + 5 * HOUR, 120))
    await world.archive()
    await world.answer(Answer.ONE_MEETING)
    report = await second.archive()
    items = await world.items()
    assert [(item["status"], item["answer"]) for item in items] == [("answered", "one_meeting")] * 2
    if not report["updated"]:
        # Opened by this run, and answered with it: the next one carries it out.
        report = await second.archive()
    assert report["updated"] == 1
    (copy,) = await world.events("Second")
    assert copy["start"]["dateTime"].startswith("2026-03-02T14:00")
    await nothing_more(second)

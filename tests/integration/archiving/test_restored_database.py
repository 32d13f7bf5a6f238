"""The database was restored to an earlier moment: the calendar has copies that no row tells of."""

from datetime import timedelta

from sqlalchemy import text

from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_faults import meetings
from tests.integration.archiving.world import DAY, World

#: What a run writes down of its copies, so that without it the copies are unknown.
FORGOTTEN = ("archive_operations", "appointments", "archived_events")


async def restored(world: World, events: int) -> None:
    """Archives so many events, of which the database then knows nothing, nor Graph of their transactions."""
    await world.open(meetings(events))
    assert (await world.archive())["archived"] == events
    async with world.database.session() as session:
        for table in FORGOTTEN:
            await session.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - names of ours
    await world.simulate(transaction_memory_seconds=0)
    look_before_create(world, True)


def look_before_create(world: World, wanted: bool) -> None:
    """The setting, as after a restore of the database."""
    world.settings = world.settings.model_copy(update={"look_before_create": wanted})
    world.archiving = world.service()


async def test_what_the_calendar_has_already_is_adopted(world: World) -> None:
    await restored(world, 25)
    assert (await world.archive())["archived"] == 25
    assert set((await world.copies_by_key()).values()) == {1}
    assert (await world.archive())["unchanged"] == 25


async def test_what_it_does_not_have_is_made(world: World) -> None:
    await restored(world, 3)
    await world.add(event("Afterwards", DAY + timedelta(days=1), 30))
    assert (await world.archive())["archived"] == 4
    assert await world.subjects() == ["Afterwards", "Meeting 0", "Meeting 1", "Meeting 2"]


async def test_nothing_is_sent_while_the_calendar_cannot_be_searched(world: World) -> None:
    await restored(world, 3)
    away = {"kind": "status", "status": 503, "code": "ErrorInternalServerTransientError", "times": 12}
    world.simulator.faults.add({"match": {"method": "GET", "path_regex": "/events$"}, **away})
    assert (await world.archive())["archived"] == 3
    assert set((await world.copies_by_key()).values()) == {1}


async def test_without_the_setting_it_is_made_again(world: World) -> None:
    await restored(world, 3)
    look_before_create(world, False)
    await world.archive()
    assert set((await world.copies_by_key()).values()) == {2}, "so the page says to set it"

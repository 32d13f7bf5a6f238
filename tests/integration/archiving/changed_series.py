"""Changes series after they were archived, and answers what is asked about them (domain.md 2.17)."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping

from shared import telemetry
from shared.database.counting import why_not_sql
from shared.domain.action_items.items import Answer
from shared.services.action_items.answering import ActionItemAnswering
from shared.services.archiving.context import ArchivingPorts
from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.test_same_meeting import (
    NINE,
    daily,
    master_of,
    on,
    recurrence,
)
from tests.integration.archiving.test_superseding import is_superseded
from tests.integration.archiving.world import World

HOUR = timedelta(hours=1)
KEEP, TAKE = Answer.KEEP_ARCHIVED, Answer.TAKE_SERIES


async def items(world: World) -> list[RowMapping]:
    """The questions that were asked, oldest first."""
    return await world.rows("SELECT * FROM action_items ORDER BY opened_at, id")


async def the_item(world: World) -> RowMapping:
    """The one question there is."""
    (item,) = await items(world)
    assert (item["kind"], item["question"]) == ("series_reset", "series_changed")
    return item


async def sides(world: World) -> dict[str, list[str]]:
    """Day and hour of what the item shows on each side."""
    shown: dict[str, list[str]] = {"archived": [], "new": []}
    for row in await world.rows("SELECT side, start_at FROM action_item_events ORDER BY start_at"):
        shown[row["side"]].append(f"{row['start_at']:%d %H}")
    return shown


def answering(world: World) -> ActionItemAnswering:
    return ActionItemAnswering(
        ArchivingPorts(world.database, world.calendars, world.clock, world.settings, world.person_keys)
    )


async def answer(world: World, given: Answer) -> dict[str, Any] | None:
    """Answer the open question; the report of the run that carries it out."""
    (item,) = [each for each in await items(world) if each["status"] == "open"]
    with telemetry.bind(caller=world.admin, correlation="test"):
        answered = await answering(world).answer(world.admin, item["id"], given)
    return None if answered.run_id is None else await world.drive(answered.run_id)


async def counting(world: World) -> list[str]:
    """Day and time of the copies that count; no two of them share a minute, and our record says the same."""
    copies = [copy for copy in await world.copies() if not is_superseded(copy)]
    spans = sorted(
        (datetime.fromisoformat(copy["start"]["dateTime"][:19]), _end(copy))
        for copy in copies
        if copy["showAs"] != "free"
    )
    minutes = [
        start + n * timedelta(minutes=1)
        for start, end in spans
        for n in range(int((end - start).total_seconds() // 60))
    ]
    assert len(minutes) == len(set(minutes)), "a minute is covered twice"
    sql = f"""
        SELECT COALESCE(sum(extract(epoch FROM a.end_at - a.start_at)) / 60, 0) AS minutes
          FROM appointments a JOIN archived_events e ON e.id = a.archived_event_id
         WHERE {why_not_sql("a", "e")} IS NULL
    """  # noqa: S608
    (recorded,) = await world.rows(sql)
    assert int(recorded["minutes"]) == len(minutes)
    return [f"{start:%d %H:%M}" for start, _ in spans]


def _end(copy: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(copy["end"]["dateTime"][:19])


async def move(world: World, by: timedelta, subject: str = "Standup") -> None:
    """Move the whole series."""
    to = event("x", NINE + by, 15)
    await world.edit(await master_of(world, subject), start=to["start"], end=to["end"])


NINES = [f"{day:02} 09:00" for day in range(2, 7)]
TENS = [f"{day:02} 10:00" for day in range(2, 7)]


async def reset(world: World) -> None:
    """An exception and a deleted occurrence are archived; then the series is reset to what it was."""
    await world.open([daily("Standup")])
    moved = event("x", NINE + 50 * HOUR, 45)
    wednesday = (await on(world, "2026-03-04"))["id"]
    await world.edit(wednesday, start=moved["start"], end=moved["end"], subject="Long standup")
    await world.delete((await on(world, "2026-03-05"))["id"])
    await world.archive()
    assert await counting(world) == [*NINES[:2], "04 11:00", NINES[4]]
    master = await master_of(world)
    changed = recurrence(NINE, 5)
    changed["pattern"]["interval"] = 2
    await world.edit(master, recurrence=changed)
    await world.edit(master, recurrence=recurrence(NINE, 5))
    await world.archive()

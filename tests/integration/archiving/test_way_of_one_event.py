"""The way of one event from its page to the recorded write, as ``docs/ARCHITECTURE.md`` lists it."""

import re
from datetime import timedelta

from tests.integration.archiving.simulated_mailbox import event
from tests.integration.archiving.world import DAY, World
from tests.support.way import ROOT, Stop, following

_ROW = re.compile(r"^\| \d+ \| `([\w/]+\.py)` \| `([\w.]+)` \|")


async def test_the_way_of_one_event_is_short_and_as_documented(world: World) -> None:
    await world.open([event("Review", DAY + timedelta(days=2, hours=9), 30)])
    marker = (await world.source("Review"))["id"]
    run = await world.request()
    with following(marker) as planning:
        await world.plan(run.id)
    with following(marker) as applying:
        await world.apply(run.id)
    assert await world.subjects() == ["Review"]
    planned, applied = documented()
    assert planning.stops == planned
    assert applying.stops == applied
    assert len(planned) <= 20
    assert len(planning.climbs) + len(applying.climbs) <= 1


def documented() -> tuple[list[Stop], list[Stop]]:
    """The two tables of the section: from the page to the stored operation, and to the recorded write."""
    page = (ROOT / "docs/ARCHITECTURE.md").read_text()
    section = page.split("## The way of one event", 1)[1].split("\n## ", 1)[0]
    tables: list[list[Stop]] = []
    for line in section.splitlines():
        if (row := _ROW.match(line)) is None:
            continue
        if line.startswith("| 1 |"):
            tables.append([])
        tables[-1].append(Stop(f"shared/{row[1]}", row[2]))
    planned, applied = tables
    return planned, applied

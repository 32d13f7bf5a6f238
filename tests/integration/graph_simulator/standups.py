"""A series of short meetings, as the tests of changed series make it."""

from datetime import date, datetime, time
from typing import Any

from tests.integration.graph_simulator.sdk import Graph
from tests.support.series_edits import SeriesEdits, daily

BERLIN = "W. Europe Standard Time"
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (date(2026, 3, day) for day in range(2, 7))


def at(day: int, hour: int) -> datetime:
    """An hour of a day in March, as a wall clock shows it."""
    return datetime.combine(date(2026, 3, day), time(hour))


NINE = at(2, 9)


async def standup(edits: SeriesEdits, **fields: Any) -> dict[str, Any]:
    """Monday to Friday at nine."""
    return await edits.create("Standup", NINE, 30, zone=BERLIN, recurrence=daily(5), **fields)


async def starts(edits: SeriesEdits, series: Any) -> list[str]:
    """Starts of a series in its zone, to the minute."""
    return [item["start"]["dateTime"][5:16] for item in await edits.occurrences(series)]


async def view(graph: Graph, user: str, days: int = 30) -> list[dict[str, Any]]:
    """The calendarView of the following days."""
    window = "startDateTime=2026-03-01T00:00:00Z&endDateTime=2026-04-01T00:00:00Z"
    return await graph.all(f"{user}/calendarView?{window}&$top=100&$orderby=start/dateTime")

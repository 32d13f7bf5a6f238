"""UnreadEventRepository."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.archiving.unread_events import UnreadEventRepository
from tests.support.factories import START, Factory

DAY = timedelta(days=1)


def plan(start: datetime | None, end: datetime | None = None, source: str | None = "id") -> dict[str, Any]:
    """A plan that could not read one event, or one range."""
    event = {
        "source_id": source,
        "start": start.isoformat() if start else None,
        "end": end.isoformat() if end else None,
        "code": "ErrorCorruptData",
    }
    return {"unreadable": 1, "unreadable_events": [event]}


async def noted(session: AsyncSession, configuration: ArchiveConfiguration) -> list[bool]:
    """Of everything that is noted: whether it was read again."""
    rows = await UnreadEventRepository(session).noted_unscoped([configuration.id], START - 30 * DAY)
    return [row.read_again for row in rows]


@pytest.mark.parametrize(
    ("later", "read_again"),
    [
        ({"window_start": START, "window_end": START + DAY}, True),
        ({"window_start": START + DAY, "window_end": START + 2 * DAY}, False),
        ({"window_start": START, "window_end": START + DAY, "mode": "edit"}, False),
        ({"window_start": START, "window_end": START + DAY, "plan": {"refused": "gone"}}, False),
        ({"window_start": START, "window_end": START + DAY, "planned_at": None}, False),
        ({"window_start": START, "window_end": START + DAY, "planned_at": START - DAY}, False),
    ],
)
async def test_what_was_read_again_by_a_later_plan_counts_as_read(
    make: Factory, session: AsyncSession, later: dict[str, Any], read_again: bool
) -> None:
    configuration = await make.configuration()
    at = START + timedelta(hours=9)
    week = {"window_start": START, "window_end": START + 7 * DAY}
    await make.run(configuration, planned_at=START, plan=plan(at, at + timedelta(hours=1)), **week)
    values = {"planned_at": START + DAY, "plan": {"source": 1}} | later
    await make.run(configuration, **values)
    assert await noted(session, configuration) == [read_again]


async def test_a_range_counts_as_read_only_if_all_of_it_was_read_again(
    make: Factory, session: AsyncSession
) -> None:
    configuration = await make.configuration()
    week = {"window_start": START, "window_end": START + 7 * DAY, "state": "completed"}
    await make.run(configuration, planned_at=START, plan=plan(START + DAY, START + 3 * DAY, None), **week)
    await make.run(configuration, planned_at=START, plan=plan(None, None, None), **week)
    part = {"window_start": START + DAY, "window_end": START + 2 * DAY, "state": "completed"}
    await make.run(configuration, planned_at=START + DAY, plan={"source": 1}, **part)
    assert await noted(session, configuration) == [False, False]
    part["window_end"] = START + 3 * DAY
    await make.run(configuration, planned_at=START + DAY, plan={"source": 1}, **part)
    assert sorted(await noted(session, configuration)) == [False, True]


async def test_only_what_the_configurations_noted_of_late_is_told(
    make: Factory, session: AsyncSession
) -> None:
    configuration, another = await make.configuration(), await make.configuration()
    for noting, at in ((configuration, START - 40 * DAY), (another, START)):
        await make.run(noting, planned_at=at, plan=plan(START))
    await make.run(configuration, planned_at=START, plan={"unreadable": 0, "unreadable_events": []})
    assert await noted(session, configuration) == []
    assert await noted(session, another) == [False]

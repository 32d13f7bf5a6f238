"""SeriesItemRepository."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.action_items.action_items import ActionItemRepository
from shared.database.repositories.action_items.plan_items import ItemEvent
from shared.database.repositories.action_items.series_items import SeriesItemRepository, ShownReset
from shared.domain.action_items.items import ActionItemStatus, Answer, Side
from shared.domain.planning.series_reset import Difference, Occurrence, Span, Standing
from shared.domain.runs.archived_event import ArchivedEventState
from tests.support.factories import START, Factory
from tests.support.records import recorded

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW, LATER = START + 10 * DAY, START + 40 * DAY
SEEN = Span(START - DAY, START + DAY)


@pytest.fixture
async def configuration(make: Factory) -> ArchiveConfiguration:
    return await make.configuration()


@pytest.fixture
def items(session: AsyncSession, configuration: ArchiveConfiguration) -> SeriesItemRepository:
    return SeriesItemRepository(session, configuration.owner_id, configuration.id)


@pytest.fixture
def stranger(session: AsyncSession, configuration: ArchiveConfiguration) -> SeriesItemRepository:
    """The same configuration, asked for by somebody who does not own it."""
    return SeriesItemRepository(session, uuid.uuid4(), configuration.id)


@pytest.fixture
async def row(make: Factory, configuration: ArchiveConfiguration) -> ArchivedEvent:
    return await occurrence(make, configuration, 0)


async def occurrence(
    make: Factory, configuration: ArchiveConfiguration, day: int, series: str = "S", **columns: Any
) -> ArchivedEvent:
    key = f"o:{series}:{day}"
    values = {"source_key": key, "series_id": series, "start_at": START + day * DAY} | columns
    event = await make.archived_event(configuration, **values)
    await make.appointment(event)
    return event


def moved(row: ArchivedEvent, hours: int = 1, item_id: uuid.UUID | None = None) -> ShownReset:
    """The series of the row shows it later."""
    key = row.source_key
    archived = Occurrence(key, row.start_at, row.start_at + HOUR)
    now = Occurrence(key, row.start_at + hours * HOUR, row.start_at + (hours + 1) * HOUR)
    events = (
        ItemEvent(Side.ARCHIVED, key, "id", "r", archived.start, archived.end, row_id=row.id),
        ItemEvent(Side.NEW, key, "id", "r", now.start, now.end, record=recorded()),
    )
    shape, difference = f"shape {hours}", Difference(archived, now)
    return ShownReset(item_id or uuid.uuid4(), "S", shape, SEEN, (difference,), events)


async def test_what_is_asked_is_read_as_it_was_written(
    items: SeriesItemRepository,
    stranger: SeriesItemRepository,
    row: ArchivedEvent,
    configuration: ArchiveConfiguration,
) -> None:
    shown = moved(row)
    assert await items.open(configuration.tenant_id, shown, NOW, LATER, LATER)
    assert not await items.open(configuration.tenant_id, moved(row), NOW, LATER, LATER)
    (stored,) = await items.stored()
    assert (stored.item_id, stored.series_id, stored.due) == (shown.item_id, "S", False)
    assert (stored.reset.standing, stored.reset.shape, stored.reset.seen) == (Standing.OPEN, "shape 1", SEEN)
    assert stored.reset.differences == shown.differences
    assert await stranger.stored() == []


async def test_an_item_shows_something_else_and_is_asked_again_with_its_answer_as_proposal(
    items: SeriesItemRepository,
    row: ArchivedEvent,
    configuration: ArchiveConfiguration,
    session: AsyncSession,
) -> None:
    first = moved(row)
    await items.open(configuration.tenant_id, first, NOW, LATER, LATER)
    await items.show(moved(row, 2, first.item_id), NOW, "changed")
    asked = ActionItemRepository(session)
    item = await asked.get(configuration.owner_id, first.item_id, lock=True)
    assert item is not None
    assert item.version == 2
    await asked.answer(item, Answer.TAKE_SERIES, ActionItemStatus.ANSWERED, "user", NOW)
    (stored,) = await items.stored()
    assert (stored.reset.standing, stored.reset.shape, stored.due) == (Standing.TAKEN, "shape 2", True)
    await items.ask_again(moved(row, 3, first.item_id), NOW, LATER, LATER)
    (stored,) = await items.stored()
    assert (stored.reset.standing, stored.reset.shape, stored.due) == (Standing.OPEN, "shape 3", False)
    item = await asked.get(configuration.owner_id, first.item_id, lock=True)
    assert item is not None
    assert (item.proposal, item.answer, item.expires_at) == ("take_series", None, LATER)


async def test_seeing_more_keeps_what_is_not_at_hand_and_forgets_what_differs_no_more(
    items: SeriesItemRepository,
    make: Factory,
    row: ArchivedEvent,
    configuration: ArchiveConfiguration,
) -> None:
    first = moved(row)
    await items.open(configuration.tenant_id, first, NOW, LATER, LATER)
    other = moved(await occurrence(make, configuration, 1), 1, first.item_id)
    both = (*first.differences, *other.differences)
    wide = Span(SEEN.start, SEEN.end + DAY)
    await items.see_more(ShownReset(first.item_id, "S", "shape 1", wide, both, other.events), NOW)
    (stored,) = await items.stored()
    assert (stored.reset.differences, stored.reset.seen) == (both, wide)
    await items.show(other, NOW, "changed")
    (stored,) = await items.stored()
    assert stored.reset.differences == other.differences


async def test_the_rows_of_a_series_and_of_those_it_succeeded(
    items: SeriesItemRepository,
    stranger: SeriesItemRepository,
    make: Factory,
    row: ArchivedEvent,
    configuration: ArchiveConfiguration,
) -> None:
    gone = ArchivedEventState.SOURCE_DELETED
    await occurrence(make, configuration, 1, former_keys=["o:P:1"])
    await occurrence(make, configuration, 2, "P", state=gone)
    await occurrence(make, configuration, 3, "other")
    await occurrence(make, configuration, 4, state=ArchivedEventState.SUPERSEDED)
    await occurrence(make, configuration, 5, copy_id=None)
    await occurrence(make, configuration, 6, superseding_since=NOW)
    await occurrence(make, configuration, 9)
    found = await items.rows(["S", "unknown"], START, START + 9 * DAY)
    assert [(each.key, each.own, each.gone) for each in found["S"]] == [
        (row.source_key, True, False),
        ("o:S:1", True, False),
        ("o:P:2", False, True),
    ]
    assert found.keys() == {"S"}
    assert await items.rows([], START, LATER) == {}
    assert await stranger.rows(["S"], START, LATER) == {}

"""Action items: one owner's alone, in order of kind and opening, answered once."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.action_items import ActionItem
from shared.database.repositories.action_items.action_items import ActionItemRepository, ItemFilter, ItemPlace
from shared.domain.action_items.items import ActionItemStatus, Answer, Question, expiring_questions
from tests.support.factories import START, Factory

NOW = datetime(2026, 3, 9, tzinfo=UTC)
ANY = ItemFilter(viewer=None)


async def two(make: Factory) -> tuple[ActionItem, ActionItem]:
    """An item about a series, and one opened after it about a meeting, of one owner."""
    configuration = await make.configuration()
    series = await make.action_item(await make.archived_event(configuration), Question.SERIES_CHANGED)
    later = START + timedelta(days=1)
    same = await make.action_item(await make.archived_event(configuration), opened_at=later)
    return series, same


async def test_items_are_one_owners_and_meetings_come_first(session: AsyncSession, make: Factory) -> None:
    series, same = await two(make)
    await make.action_item(await make.archived_event())
    items = ActionItemRepository(session)
    assert [each.id for each in await items.list(series.owner_id, ANY, None, 9)] == [same.id, series.id]
    behind = ItemPlace(0, same.opened_at, same.id)
    assert [each.id for each in await items.list(series.owner_id, ANY, behind, 9)] == [series.id]
    stranger = (await make.user()).id
    assert await items.get(stranger, same.id) is None
    assert await items.contents(stranger, same.id) == []
    assert await items.span(stranger, same.id) is None
    assert await items.lock_open_alike(stranger, same.about) == []


async def test_the_span_follows_the_rows_where_they_are_now(session: AsyncSession, make: Factory) -> None:
    row = await make.archived_event()
    item = await make.action_item(row)
    items = ActionItemRepository(session)
    assert await items.span(item.owner_id, item.id) == (START, START + timedelta(minutes=30))
    row.start_at = START - timedelta(days=2)
    await session.flush()
    assert await items.span(item.owner_id, item.id) == (row.start_at, START + timedelta(minutes=30))


async def test_an_answer_that_changes_the_archive_is_due_and_claimed(
    session: AsyncSession, make: Factory
) -> None:
    series, same = await two(make)
    items = ActionItemRepository(session)
    answered = ActionItemStatus.ANSWERED
    await items.answer(same, Answer.ONE_MEETING, answered, "user:x", NOW)
    await items.answer(series, Answer.KEEP_ARCHIVED, answered, "user:x", NOW)
    assert (same.due_at, same.carried_out_at, series.due_at, series.carried_out_at) == (NOW, None, None, NOW)
    assert [each.id for each in await items.claim_due_unscoped(NOW, 9)] == [same.id]
    await items.keep_due(same.id, NOW + timedelta(hours=1))
    assert await items.claim_due_unscoped(NOW, 9) == []


async def test_only_what_has_a_default_expires(session: AsyncSession, make: Factory) -> None:
    series, _ = await two(make)
    items = ActionItemRepository(session)
    assert await items.let_expire(series.owner_id, expiring_questions(), NOW) == 1
    assert [each.id for each in await items.claim_expired_unscoped(NOW, 9)] == [series.id]


async def test_reminders_are_claimed_when_due_and_moved_on(session: AsyncSession, make: Factory) -> None:
    item = await make.action_item(await make.archived_event(), remind_at=NOW)
    await make.action_item(await make.archived_event(), remind_at=NOW, status=ActionItemStatus.CLOSED)
    items = ActionItemRepository(session)
    (waiting,) = await items.claim_reminders_unscoped(NOW, 9)
    assert (waiting.id, waiting.reminders_sent) == (item.id, 0)
    await items.set_reminded({item.id: (1, NOW + timedelta(days=2))})
    assert await items.claim_reminders_unscoped(NOW, 9) == []

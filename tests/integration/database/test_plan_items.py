"""Items between two plans: opened once, refreshed, reopened, closed, carried out; of one archive alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.action_items import ActionItem
from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.action_items.action_items import ActionItemRepository
from shared.database.repositories.action_items.plan_items import AskedItem, ItemEvent, PlanItemRepository
from shared.domain.action_items.items import ActionItemStatus, Answer, CloseReason, Question, Side
from tests.support.factories import START, Factory
from tests.support.records import recorded

NOW = datetime(2026, 3, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
SAME = (Question.LIKELY_SAME,)


def asked(row: ArchivedEvent, about: str = "pair", revision: str = "new") -> AskedItem:
    """Whether the row is the same meeting as an event an hour later."""
    start = row.start_at
    old = ItemEvent(Side.ARCHIVED, row.source_key, row.source_id, "old", start, start + HOUR, row.id)
    new = ItemEvent(Side.NEW, "s:new", "new", revision, start + HOUR, start + 2 * HOUR, record=recorded())
    return AskedItem(Question.LIKELY_SAME, about, (old, new))


async def opened(session: AsyncSession, make: Factory) -> tuple[PlanItemRepository, ArchivedEvent]:
    """A repository with one open item, and the row that it is about."""
    row = await make.archived_event()
    items = PlanItemRepository(session, row.owner_id, row.configuration_id)
    configuration = await session.get_one(ArchiveConfiguration, row.configuration_id)
    assert len(await items.open(configuration.tenant_id, [(uuid4(), asked(row), None)], NOW, NOW)) == 1
    assert await items.open(configuration.tenant_id, [(uuid4(), asked(row), None)], NOW, NOW) == set()
    return items, row


async def test_an_item_is_opened_once_and_found_by_its_range(session: AsyncSession, make: Factory) -> None:
    items, row = await opened(session, make)
    (found,) = await items.live(START, START + HOUR, SAME)
    assert (found.is_open, found.about, found.answer) == (True, "pair", None)
    assert [(each.key, each.row_id) for each in found.archived] == [(row.source_key, row.id)]
    assert [(each.key, each.revision) for each in found.new] == [("s:new", "new")]
    assert await items.live(START + timedelta(days=1), START + timedelta(days=2), SAME) == []
    assert await items.live(START, START + HOUR, (Question.MOVED_ON,)) == []
    assert await PlanItemRepository(session, uuid4(), row.configuration_id).live(START, NOW, SAME) == []
    row.source_key = "s:renamed"
    await session.flush()
    assert (await items.live(START, NOW, SAME))[0].archived[0].key == "s:renamed"


async def test_other_content_is_another_version(session: AsyncSession, make: Factory) -> None:
    items, row = await opened(session, make)
    (found,) = await items.live(START, NOW, SAME)
    await items.refresh({found.id: asked(row, revision="newer")}, NOW)
    (again,) = await items.live(START, NOW, SAME)
    assert (again.version, again.new[0].revision) == (found.version + 1, "newer")


async def test_an_answer_is_reopened_before_it_is_carried_out_and_not_after(
    session: AsyncSession, make: Factory
) -> None:
    items, row = await opened(session, make)
    (found,) = await items.live(START, NOW, SAME)
    item = await session.get_one(ActionItem, found.id)
    answers = ActionItemRepository(session)
    await answers.answer(item, Answer.ONE_MEETING, ActionItemStatus.ANSWERED, "user:x", NOW)
    assert (await items.live(START, NOW, SAME))[0].answer is Answer.ONE_MEETING
    assert await items.reopen([found.id], NOW, NOW) == {found.id}
    await session.refresh(item)
    assert (item.status, item.proposal, item.answer) == ("open", "one_meeting", None)
    await answers.answer(item, Answer.TWO_MEETINGS, ActionItemStatus.ANSWERED, "user:x", NOW)
    assert await items.carried_out([found.id], NOW) == {found.id}
    assert await items.reopen([found.id], NOW, NOW) == set()
    assert await items.live(START, NOW, SAME) == []
    assert await items.answered_alike(["pair"]) == {}
    # In another archive of the same person it is the answer; of anybody else it is not.
    main = await session.get_one(ArchiveConfiguration, row.configuration_id)
    other = PlanItemRepository(session, row.owner_id, uuid4())
    assert await other.answered_alike(["pair", "else"]) == {"pair": (Answer.TWO_MEETINGS, "user:x")}
    assert await PlanItemRepository(session, uuid4(), main.id).answered_alike(["pair"]) == {}


async def test_what_is_closed_is_over_and_may_be_asked_again(session: AsyncSession, make: Factory) -> None:
    items, row = await opened(session, make)
    (found,) = await items.live(START, NOW, SAME)
    assert await items.close([found.id], CloseReason.SETTLED_ITSELF, NOW) == {found.id}
    assert await items.close([found.id], CloseReason.SETTLED_ITSELF, NOW) == set()
    configuration = await session.get_one(ArchiveConfiguration, row.configuration_id)
    again = replace(asked(row), events=asked(row, revision="third").events)
    assert len(await items.open(configuration.tenant_id, [(uuid4(), again, None)], NOW, NOW)) == 1

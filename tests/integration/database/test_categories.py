"""LocalCategoryRepository and CategoryRuleRepository."""

import uuid

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.constraint_errors import AlreadyExists
from shared.database.models.categories import CategoryRuleRow, LocalCategory
from shared.database.repositories.categories.categories import CategoryRuleRepository, LocalCategoryRepository
from tests.support.factories import START, TENANT, Factory

OTHER_TENANT = uuid.uuid4()


async def test_categories_are_found_in_their_tenant_and_by_their_owner(
    session: AsyncSession, make: Factory
) -> None:
    categories = LocalCategoryRepository(session)
    owner, other = await make.user(), await make.user()
    mine = await make.local_category(owner.id, name_key="b")
    first = await make.local_category(owner.id, name_key="a")
    theirs = await make.local_category(other.id)
    assert await categories.all_of(owner.id) == [first, mine]
    assert await categories.get(TENANT, theirs.id, None) is theirs
    assert await categories.get(TENANT, theirs.id, owner.id, lock=True) is None
    assert await categories.get(OTHER_TENANT, mine.id, None) is None
    await categories.delete(owner.id, theirs.id)
    assert await categories.get(TENANT, theirs.id, other.id, lock=True) is theirs
    await categories.delete(other.id, theirs.id)
    assert await categories.get(TENANT, theirs.id, None) is None


async def test_a_name_and_a_match_are_there_once_for_one_owner(session: AsyncSession, make: Factory) -> None:
    owner, other = await make.user(), await make.user()
    await make.local_category(owner.id, name_key="acme - billable")
    await make.local_category(other.id, name_key="acme - billable")
    await make.category_rule(owner.id, match_key="weekly")
    await make.category_rule(owner.id, match_key="weekly", relation="location")
    category = LocalCategory(owner_id=owner.id, name="x", name_key="acme - billable", color="none")
    rule = CategoryRuleRow(
        owner_id=owner.id,
        relation="subject",
        match="x",
        match_key="weekly",
        category="Acme - billable",
        auto_apply=True,
    )
    with pytest.raises(AlreadyExists, match="category with this name"):
        async with session.begin_nested():
            await LocalCategoryRepository(session).add(category)
    with pytest.raises(AlreadyExists, match="rule for the same match"):
        async with session.begin_nested():
            await CategoryRuleRepository(session).add(rule)


async def test_rules_come_in_pages_of_their_owner(session: AsyncSession, make: Factory) -> None:
    rules = CategoryRuleRepository(session)
    owner, other = await make.user(), await make.user()
    made = [await make.category_rule(owner.id) for _ in range(3)]
    made.sort(key=lambda rule: (rule.created_at, rule.id))
    theirs = await make.category_rule(other.id)
    first = await rules.list(owner.id, None, 2)
    rest = await rules.list(owner.id, (first[-1].created_at, first[-1].id), 2)
    assert [*first, *rest] == made == list(await rules.all_of(owner.id, 10))
    assert await rules.get(TENANT, theirs.id, owner.id) is None
    assert await rules.get(OTHER_TENANT, theirs.id, None) is None
    await rules.delete(owner.id, theirs.id)
    assert await rules.get(TENANT, theirs.id, None, lock=True) is theirs
    await rules.delete(other.id, theirs.id)
    assert list(await rules.all_of(other.id, 10)) == []


async def test_a_change_is_counted(session: AsyncSession, make: Factory) -> None:
    rule = await make.category_rule((await make.user()).id)
    rule.touch(START)
    await session.flush()
    assert (rule.version, rule.updated_at) == (2, START)

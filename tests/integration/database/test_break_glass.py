"""Emergency accesses: open until their end, for who opened them (domain.md 6.3)."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.identity.break_glass import BreakGlassRepository
from tests.support.factories import TENANT, Factory


async def test_an_access_is_open_to_one_admin_until_it_ends_or_is_closed(session: AsyncSession) -> None:
    make, accesses = Factory(session), BreakGlassRepository(session)
    ada, bob = await make.user(), await make.user()
    admin, now = uuid4(), datetime.now(UTC)
    past = now - timedelta(hours=2)
    await make.break_glass(ada, admin_id=admin, opened_at=past, ends_at=now - timedelta(seconds=1))
    await make.break_glass(ada, admin_id=admin, closed_at=now, closed_by="user:x")
    assert await accesses.opened_to(TENANT, admin) == frozenset()
    assert await accesses.open_of(TENANT, admin, ada.id) is None
    made = await make.break_glass(ada, admin_id=admin)
    await make.break_glass(bob)
    assert await accesses.opened_to(TENANT, admin) == {ada.object_id}
    assert await accesses.open_of(TENANT, admin, ada.id) is made
    assert await accesses.opened_to(uuid4(), admin) == frozenset()
    assert await accesses.opened_to(TENANT, uuid4()) == frozenset()


async def test_the_list_is_the_tenants_or_about_one_user(session: AsyncSession) -> None:
    make, accesses = Factory(session), BreakGlassRepository(session)
    ada, bob = await make.user(), await make.user()
    first, second = await make.break_glass(ada), await make.break_glass(bob)
    assert {row.id for row in await accesses.list(TENANT, None, None, 10)} == {first.id, second.id}
    assert [row.id for row in await accesses.list(TENANT, ada.id, None, 10)] == [first.id]
    assert await accesses.get(TENANT, second.id, ada.id) is None
    assert await accesses.get(TENANT, second.id, None) is second

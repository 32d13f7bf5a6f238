"""AuditSealRepository."""

import uuid
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.database.repositories.audit.audit_seals import AuditSealRepository, Tail
from shared.domain.audit.chain import Link
from tests.support.factories import START, TENANT, Factory

SECOND = timedelta(seconds=1)


@pytest.fixture
def seals(session: AsyncSession) -> AuditSealRepository:
    return AuditSealRepository(session)


def _link(position: int, audit_id: uuid.UUID) -> Link:
    return Link(position, audit_id, f"hash {position - 1}", f"hash {position}")


async def test_a_tenant_without_an_audit_has_no_chain(seals: AuditSealRepository) -> None:
    assert await seals.tenants_unscoped() == []
    assert await seals.last(TENANT) is None
    assert await seals.tail(TENANT) == Tail(0, None)
    assert await seals.chain(TENANT, 0, 10) == []
    assert await seals.hash_at(TENANT, 1) is None


async def test_rows_are_unsealed_until_they_have_a_position(
    seals: AuditSealRepository, make: Factory
) -> None:
    second, first, third = [(await make.audit_entry(occurred_at=START + n * SECOND)).id for n in (1, 0, 2)]
    await make.audit_entry(tenant_id=uuid.uuid4())
    found = await seals.unsealed(TENANT, None, None, 2)
    assert [row["id"] for row in found] == [first, second]
    after = (found[-1]["occurred_at"], found[-1]["id"])
    assert [row["id"] for row in await seals.unsealed(TENANT, None, after, 2)] == [third]
    assert [row["id"] for row in await seals.unsealed(TENANT, START + 2 * SECOND, None, 9)] == [third]
    assert await seals.tail(TENANT) == Tail(3, START)
    await seals.add(TENANT, [_link(1, first), _link(2, third)])
    assert [row["id"] for row in await seals.unsealed(TENANT, None, None, 9)] == [second]
    assert await seals.tail(TENANT) == Tail(1, START + SECOND)


async def test_each_tenant_has_a_chain_of_its_own(seals: AuditSealRepository, make: Factory) -> None:
    other = uuid.uuid4()
    here, there = await make.audit_entry(), await make.audit_entry(tenant_id=other)
    await make.audit_entry()
    assert set(await seals.tenants_unscoped()) == {TENANT, other}
    assert len(await seals.tenants_unscoped()) == 2
    await seals.add(TENANT, [_link(1, here.id)])
    await seals.add(other, [_link(1, there.id)])
    assert await seals.last(TENANT) == _link(1, here.id)
    assert await seals.last(other) == _link(1, there.id)


async def test_the_chain_is_read_in_order_with_its_rows_and_shows_what_is_gone(
    seals: AuditSealRepository, make: Factory
) -> None:
    entries = [await make.audit_entry() for _ in range(2)]
    ids = [entries[0].id, uuid.uuid4(), entries[1].id]
    await seals.add(TENANT, [_link(position, audit_id) for position, audit_id in enumerate(ids, 1)])
    chain = await seals.chain(TENANT, 0, 10)
    assert [link for link, _ in chain] == [_link(position, each) for position, each in enumerate(ids, 1)]
    assert [row and row["id"] for _, row in chain] == [ids[0], None, ids[2]]
    assert [link.position for link, _ in await seals.chain(TENANT, 1, 1)] == [2]
    assert await seals.hash_at(TENANT, 2) == "hash 2"


async def test_one_at_a_time_seals_a_tenant(database: Database) -> None:
    async with database.session() as first, database.session() as second:
        assert await AuditSealRepository(first).try_lock(TENANT) is True
        assert await AuditSealRepository(second).try_lock(TENANT) is False
        assert await AuditSealRepository(second).try_lock(uuid.uuid4()) is True
    async with database.session() as third:
        assert await AuditSealRepository(third).try_lock(TENANT) is True

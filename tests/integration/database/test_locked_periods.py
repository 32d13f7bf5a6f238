"""LockedPeriodRepository."""

import uuid
from datetime import date

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.constraint_errors import AlreadyExists
from shared.database.models.users import User
from shared.database.repositories.archiving.locked_periods import LockedPeriodRepository
from shared.domain.runs.locked_periods import EVERY_CUSTOMER, LockedPeriod
from tests.support.factories import START, Factory, record

MARCH = LockedPeriod(EVERY_CUSTOMER, date(2026, 3, 1), date(2026, 4, 1))


@pytest.fixture
def locks(session: AsyncSession) -> LockedPeriodRepository:
    return LockedPeriodRepository(session)


async def _lock(locks: LockedPeriodRepository, user: User, period: LockedPeriod) -> uuid.UUID:
    return (await locks.add(user.tenant_id, user.id, period, "user:ann", START)).id


async def test_a_lock_is_its_owners_and_none_once_it_is_reopened(
    locks: LockedPeriodRepository, make: Factory
) -> None:
    ann, bob = await make.user(), await make.user()
    lock_id = await _lock(locks, ann, MARCH)
    assert await locks.write_turn(ann.id) == [MARCH]
    assert await locks.write_turn(bob.id) == []
    assert not await locks.reopen(bob.id, lock_id, "user:bob", START)
    assert await locks.reopen(ann.id, lock_id, "user:ann", START)
    assert not await locks.reopen(ann.id, lock_id, "user:ann", START)
    assert await locks.write_turn(ann.id) == []
    (listed,) = await locks.list(ann.id, None, 10)
    assert (listed.id, listed.reopened_by) == (lock_id, "user:ann")


@pytest.mark.parametrize(
    ("other", "collides"),
    [
        (LockedPeriod(EVERY_CUSTOMER, date(2026, 3, 31), date(2026, 4, 2)), True),
        (LockedPeriod(EVERY_CUSTOMER, date(2026, 4, 1), date(2026, 5, 1)), False),
        (LockedPeriod("acme", date(2026, 3, 1), date(2026, 4, 1)), False),
    ],
)
async def test_a_customers_periods_do_not_overlap(
    locks: LockedPeriodRepository, make: Factory, other: LockedPeriod, *, collides: bool
) -> None:
    ann = await make.user()
    await _lock(locks, ann, MARCH)
    if collides:
        with pytest.raises(AlreadyExists):
            await _lock(locks, ann, other)
    else:
        await _lock(locks, ann, other)
        assert set(await locks.write_turn(ann.id)) == {MARCH, other}


async def test_a_reopened_period_may_be_locked_again(locks: LockedPeriodRepository, make: Factory) -> None:
    ann = await make.user()
    lock_id = await _lock(locks, ann, MARCH)
    await locks.reopen(ann.id, lock_id, "user:ann", START)
    assert await _lock(locks, ann, MARCH) != lock_id


async def test_what_is_sent_is_told_with_what_it_writes(locks: LockedPeriodRepository, make: Factory) -> None:
    operation = await make.operation(state="sent", record=record(), first_sent_at=START, last_sent_at=START)
    (write,) = await locks.lock_turn(operation.owner_id)
    assert write["start_at"] == START.isoformat()
    assert write["categories"] == ["Acme - billable"]
    assert await locks.lock_turn(uuid.uuid4()) == []


async def test_planned_writes_are_locked_out(locks: LockedPeriodRepository, make: Factory) -> None:
    operation = await make.operation(state="planned", record=record())
    (write,) = await locks.next_writes(operation.owner_id, operation.run_id, 20)
    await locks.lock_out(operation.owner_id, [write["id"]], START)
    assert await locks.next_writes(operation.owner_id, operation.run_id, 20) == []

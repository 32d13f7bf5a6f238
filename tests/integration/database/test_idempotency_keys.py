"""IdempotencyKeyRepository."""

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.database.repositories.operation.idempotency_keys import Claim, IdempotencyKeyRepository
from shared.errors import Unavailable
from tests.support.factories import START, TENANT, Factory

DAY = timedelta(days=1)
CLAIM = Claim(TENANT, "user:ada", "create_user", "once")


@pytest.fixture
def keys(session: AsyncSession) -> IdempotencyKeyRepository:
    return IdempotencyKeyRepository(session)


async def _claim(
    keys: IdempotencyKeyRepository,
    claim: Claim = CLAIM,
    *,
    after: timedelta = timedelta(0),
    patience: float = 5,
) -> uuid.UUID | None:
    now = START + after
    return await keys.claim(
        claim, b"request", roles=["User"], now=now, forgotten=now - DAY, patience=patience
    )


async def test_a_key_is_claimed_once_by_one_caller_for_one_operation(keys: IdempotencyKeyRepository) -> None:
    assert await _claim(keys) is not None
    assert await _claim(keys, after=DAY - timedelta(seconds=1)) is None
    others = (
        replace(CLAIM, tenant_id=uuid.uuid4()),
        replace(CLAIM, caller="user:bob"),
        replace(CLAIM, operation="update_user"),
        replace(CLAIM, key="twice"),
    )
    for other in others:
        assert await keys.find(other) is None
        assert await _claim(keys, other) is not None


async def test_the_answer_is_kept_whole_and_goes_with_the_person(
    keys: IdempotencyKeyRepository, make: Factory, session: AsyncSession
) -> None:
    claimed = await _claim(keys)
    assert claimed is not None
    owner = await make.user()
    headers = {"Location": "/api/v1/users/1"}
    await keys.complete(claimed, status=201, headers=headers, body=b'{"id":1}', owner_id=owner.id)
    found = await keys.find(CLAIM)
    assert found is not None
    await session.refresh(found)
    assert (found.request_hash, found.status, found.headers, found.body, found.owner_id) == (
        b"request",
        201,
        headers,
        b'{"id":1}',
        owner.id,
    )


async def test_a_forgotten_key_is_claimed_again_and_keeps_nothing_of_before(
    keys: IdempotencyKeyRepository, session: AsyncSession
) -> None:
    first = await _claim(keys)
    assert first is not None
    await keys.complete(first, status=201, headers={"a": "b"}, body=b"old", owner_id=None)
    again = await _claim(keys, after=DAY)
    assert again not in (None, first)
    session.expire_all()
    found = await keys.find(CLAIM)
    assert found is not None
    assert (found.id, found.status, found.headers, found.body) == (again, None, {}, None)


async def test_old_answers_are_deleted_oldest_first_in_batches(
    keys: IdempotencyKeyRepository,
) -> None:
    for age in range(4):
        await _claim(keys, replace(CLAIM, key=str(age)), after=age * timedelta(hours=1))
    until = START + timedelta(hours=2)
    assert await keys.forget_unscoped(until, 2) == 2
    assert [await keys.find(replace(CLAIM, key=str(age))) is None for age in range(4)] == [
        True,
        True,
        False,
        False,
    ]
    assert await keys.forget_unscoped(until, 2) == 1
    assert await keys.forget_unscoped(until, 2) == 0


async def test_the_change_itself_waits_for_locks_as_usual(
    keys: IdempotencyKeyRepository, session: AsyncSession
) -> None:
    usual = (await session.execute(text("SHOW lock_timeout"))).scalar_one()
    assert await _claim(keys, patience=0.1) is not None
    assert (await session.execute(text("SHOW lock_timeout"))).scalar_one() == usual


async def test_a_twin_waits_for_the_open_change_only_so_long(database: Database) -> None:
    async def twin() -> None:
        async with database.session() as session:
            await _claim(IdempotencyKeyRepository(session), patience=0.1)

    async with database.session() as first:
        assert await _claim(IdempotencyKeyRepository(first)) is not None
        with pytest.raises(Unavailable):
            await twin()
    async with database.session() as session:
        assert await _claim(IdempotencyKeyRepository(session)) is None

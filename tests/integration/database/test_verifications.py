"""VerificationRepository."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.verifications import Verification
from shared.database.repositories.verifying.verifications import VerificationRepository
from shared.domain.verifying.verification import VerificationState
from tests.support.factories import START, TENANT, Factory

NOW = datetime(2026, 3, 9, tzinfo=UTC)


@pytest.fixture
def verifications(session: AsyncSession) -> VerificationRepository:
    return VerificationRepository(session)


async def queued(make: Factory, **columns: object) -> Verification:
    """One that has not begun."""
    fresh = {
        "state": VerificationState.QUEUED,
        "compared_until": START,
        "progress": 0,
        "counts": None,
        "finished_at": None,
    }
    return await make.verification(**(fresh | columns))  # type: ignore[arg-type]


async def test_a_configuration_has_one_open_one(verifications: VerificationRepository, make: Factory) -> None:
    first = await queued(make)
    values = {
        "id": uuid4(),
        "tenant_id": first.tenant_id,
        "owner_id": first.owner_id,
        "configuration_id": first.configuration_id,
        "window_start": START,
        "window_end": START + timedelta(days=1),
        "compared_until": START,
        "state": VerificationState.QUEUED,
        "requested_by": "system:test",
        "correlation_id": "it",
    }
    again = Verification(**values)
    assert await verifications.add_all([again]) == {}
    (open_one,) = await verifications.open_like([again])
    assert open_one.id == first.id
    await verifications.finish(first.id, VerificationState.COMPLETED, {}, None, NOW)
    assert await verifications.open_like([again]) == []
    assert list(await verifications.add_all([again])) == [again.id]


async def test_it_is_found_by_tenant_and_owner_only(
    verifications: VerificationRepository, make: Factory
) -> None:
    mine, others = await make.verification(), await make.verification()
    assert await verifications.get(TENANT, mine.id, mine.owner_id) is mine
    assert await verifications.get(TENANT, mine.id, others.owner_id) is None
    assert await verifications.get(mine.id, mine.id) is None
    assert await verifications.of_configuration(TENANT, mine.configuration_id, None, 10) == [mine]


async def test_an_attempt_supersedes_those_before_it(
    verifications: VerificationRepository, make: Factory, session: AsyncSession
) -> None:
    row = await queued(make)
    assert await verifications.begin_attempt(row.id) is None
    assert await verifications.begin(row.id, NOW)
    first, second = await verifications.begin_attempt(row.id), await verifications.begin_attempt(row.id)
    assert (first, second) == (1, 2)
    assert not await verifications.hold(row.id, 1)
    assert await verifications.hold(row.id, 2)
    for attempt in (1, 2):
        until = START + timedelta(days=attempt)
        explained = {"records_without_copy": {"consumed": attempt}}
        await verifications.advance(
            row.id, attempt, until, 10, sources=1, records=2, copies=3, explained=explained
        )
    await session.refresh(row)
    assert await verifications.explained(row.id) == {"records_without_copy": {"consumed": 2}}
    assert (row.compared_until, row.source_events, row.records, row.copies) == (
        START + timedelta(days=2),
        *(1, 2, 3),
    )
    await verifications.finish(row.id, VerificationState.FAILED, {}, "gone", NOW)
    assert not await verifications.hold(row.id, 2)
    assert not await verifications.begin(row.id, NOW)


async def test_open_ones_are_looked_after_the_longest_forgotten_first(
    verifications: VerificationRepository, make: Factory
) -> None:
    never, long_ago, just_now = await queued(make), await queued(make), await queued(make)
    await make.verification()
    await verifications.set_dispatched([long_ago.id], NOW - timedelta(hours=1))
    await verifications.set_dispatched([just_now.id], NOW)
    found = await verifications.to_drive_unscoped(NOW - timedelta(minutes=2), 10)
    assert [each for each in found if each in (never.id, long_ago.id, just_now.id)] == [never.id, long_ago.id]

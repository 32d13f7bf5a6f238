"""A person's exports, erasures and work in progress: one open at a time, found by the workflow."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.constraint_errors import AlreadyExists
from shared.database.models.people import UserErasure, UserExport
from shared.database.repositories.people.people import (
    LeavingRepository,
    UserErasureRepository,
    UserExportRepository,
)
from shared.domain.runs.archive_run import RunState
from tests.support.factories import START, TENANT, Factory

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


async def test_one_export_is_prepared_at_a_time(session: AsyncSession, make: Factory) -> None:
    user = await make.user()
    exports = UserExportRepository(session)
    first = await make.user_export(user.id)
    assert await exports.open_of(user.id) is first
    with pytest.raises(AlreadyExists):
        await exports.add(
            UserExport(tenant_id=TENANT, owner_id=user.id, requested_by="x", correlation_id="x")
        )


async def test_an_export_is_its_owners_alone(session: AsyncSession, make: Factory) -> None:
    user, other = await make.user(), await make.user()
    export = await make.user_export(user.id)
    exports = UserExportRepository(session)
    assert await exports.get(TENANT, export.id, user.id) is export
    assert await exports.get(TENANT, export.id, None) is export
    assert await exports.get(TENANT, export.id, other.id) is None
    assert await exports.get(uuid4(), export.id, None) is None


async def test_exports_expire_and_lost_ones_are_found(session: AsyncSession, make: Factory) -> None:
    user = await make.user()
    old = await make.user_export(user.id, state="ready", expires_at=NOW)
    await make.user_export(user.id, state="ready", expires_at=NOW + timedelta(seconds=1))
    lost = await make.user_export(user.id, state="running", dispatched_at=NOW - timedelta(minutes=5))
    exports = UserExportRepository(session)
    assert await exports.expired_unscoped(NOW, 10) == [old]
    assert await exports.to_drive_unscoped(NOW, 10) == [lost.id]
    assert await exports.to_drive_unscoped(NOW - timedelta(minutes=5), 10) == []
    assert await exports.known_unscoped([old.id, uuid4()]) == {old.id}
    assert await exports.set_progress(lost.id, 3, 40)
    assert not await exports.set_progress(old.id, 3, 40)


async def test_one_erasure_is_open_at_a_time(session: AsyncSession, make: Factory) -> None:
    user = await make.user()
    erasures = UserErasureRepository(session)
    withdrawn = await make.user_erasure(user, state="withdrawn")
    erasing = await make.user_erasure(user, state="erasing")
    assert await erasures.open_of(user.id) is erasing
    assert await erasures.to_drive_unscoped(NOW, 10) == [erasing.id]
    assert await erasures.get(uuid4(), withdrawn.id) is None
    with pytest.raises(AlreadyExists):
        await erasures.add(
            UserErasure(tenant_id=TENANT, user_id=user.id, requested_by="x", correlation_id="x")
        )


async def test_only_the_persons_own_work_is_found(session: AsyncSession, make: Factory) -> None:
    mine, others = await make.configuration(), await make.configuration()
    job, _ = await make.job(mine), await make.job(others)
    run = await make.run(mine)
    await make.run(mine, state=RunState.COMPLETED)
    await make.run(others)
    event = await make.archived_event(mine)
    await make.archived_event(others)
    leaving = LeavingRepository(session)
    assert await leaving.open_runs(mine.owner_id) == [run]
    assert await leaving.any_open_run(mine.owner_id)
    assert await leaving.pause_jobs(mine.owner_id) == [job.id]
    assert await leaving.pause_jobs(mine.owner_id) == []
    assert await leaving.some_copies(mine.owner_id, 10) == [event]
    assert await leaving.archive_mailboxes(mine.owner_id) == {mine.id: mine.archive_mailbox_id}
    await leaving.forget_copies(others.owner_id, [event.id])
    assert await leaving.count_copies(mine.owner_id) == 1
    await leaving.forget_copies(mine.owner_id, [event.id])
    assert await leaving.count_copies(mine.owner_id) == 0


async def test_flagged_groups_expire_now_at_the_latest(session: AsyncSession, make: Factory) -> None:
    configuration = await make.configuration()
    events = [await make.archived_event(configuration) for _ in range(2)]
    late = await make.overlap_group(*events, expires_at=NOW + timedelta(days=30))
    early = await make.overlap_group(*[await make.archived_event(configuration)], expires_at=START)
    leaving = LeavingRepository(session)
    assert await leaving.let_overlaps_expire(uuid4(), NOW) == 0
    assert await leaving.let_overlaps_expire(configuration.owner_id, NOW) == 2
    for group, expected in ((late, NOW), (early, START)):
        await session.refresh(group)
        assert group.expires_at == expected

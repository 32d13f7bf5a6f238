"""OverlapGroupRepository."""

import uuid
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.overlaps import OverlapGroup
from shared.database.repositories.overlaps.overlap_groups import GroupDecision, OverlapGroupRepository
from shared.domain.overlaps.status import OverlapStatus
from tests.support.factories import START, Factory

HOUR = timedelta(hours=1)


@pytest.fixture
def groups(session: AsyncSession) -> OverlapGroupRepository:
    return OverlapGroupRepository(session)


@pytest.fixture
async def group(make: Factory) -> OverlapGroup:
    """A flagged group of two archived events."""
    configuration = await make.configuration()
    events = [
        await make.archived_event(configuration, source_key=f"s:{n}", start_at=START + n * HOUR)
        for n in range(2)
    ]
    for event in events:
        await make.appointment(event)
    return await make.overlap_group(*events, expires_at=START + timedelta(days=30))


def _decision(*kept: str, status: OverlapStatus = OverlapStatus.SETTLED) -> GroupDecision:
    return GroupDecision(status, kept, "user:ann", START, {"status": str(status), "kept": list(kept)})


async def test_a_group_is_found_by_its_owner_and_within_its_tenant(
    groups: OverlapGroupRepository, group: OverlapGroup
) -> None:
    assert await groups.get(group.owner_id, group.id, lock=True) is group
    assert await groups.get(uuid.uuid4(), group.id) is None
    assert await groups.get_in_tenant(group.tenant_id, group.id) is group
    assert await groups.get_in_tenant(uuid.uuid4(), group.id) is None
    assert [member.source_key for member in await groups.members(group.owner_id, group.id)] == ["s:0", "s:1"]
    assert await groups.members(uuid.uuid4(), group.id) == []
    assert await groups.span(group.owner_id, group.id) == (START, START + HOUR)
    assert await groups.span(uuid.uuid4(), group.id) is None


async def test_a_decision_is_written_down_and_due(
    groups: OverlapGroupRepository, group: OverlapGroup, session: AsyncSession
) -> None:
    await groups.decide(group, _decision("s:0"))
    group = await session.get_one(OverlapGroup, group.id, populate_existing=True)
    assert (group.status, group.settled_by, group.archive_due_at) == ("settled", "user:ann", START)
    assert (group.expires_at, group.version, group.resolution) == (
        None,
        2,
        {"status": "settled", "kept": ["s:0"]},
    )
    assert group.log[-1]["by"] == "user:ann"
    members = await groups.members(group.owner_id, group.id)
    assert [member.kept for member in members] == [True, False]
    assert await groups.claim_due_unscoped(START - HOUR, 10) == []
    assert await groups.claim_due_unscoped(START, 10) == [group]
    await groups.keep_due(group.id, START + HOUR)
    assert await groups.claim_due_unscoped(START, 10) == []


async def test_only_flagged_groups_expire_when_their_time_is_over(
    groups: OverlapGroupRepository, group: OverlapGroup
) -> None:
    assert await groups.claim_expired_unscoped(START, 10) == []
    assert await groups.claim_expired_unscoped(START + timedelta(days=30), 10) == [group]
    await groups.decide(group, _decision("s:0", "s:1", status=OverlapStatus.EXPIRED))
    assert await groups.claim_expired_unscoped(START + timedelta(days=60), 10) == []


async def test_waiting_groups_are_claimed_when_their_reminder_is_due(
    groups: OverlapGroupRepository, group: OverlapGroup, session: AsyncSession
) -> None:
    assert await groups.claim_reminders_unscoped(START + 99 * HOUR, 10) == []
    group.remind_at = START + HOUR
    await session.flush()
    assert await groups.claim_reminders_unscoped(START, 10) == []
    (waiting,) = await groups.claim_reminders_unscoped(START + HOUR, 10)
    assert (waiting.id, waiting.reminders_sent, waiting.time_zone) == (group.id, 0, "Europe/Berlin")
    await groups.set_reminded({group.id: (1, START + 3 * HOUR)})
    assert await groups.claim_reminders_unscoped(START + HOUR, 10) == []
    (waiting,) = await groups.claim_reminders_unscoped(START + 3 * HOUR, 10)
    assert waiting.reminders_sent == 1
    await session.refresh(group)
    await groups.decide(group, _decision("s:0"))
    assert await groups.claim_reminders_unscoped(START + 3 * HOUR, 10) == []

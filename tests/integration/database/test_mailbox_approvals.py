"""MailboxApprovalRepository: approvals of a tenant, of a person, by their time (domain.md 6.5)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.constraint_errors import AlreadyExists
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.mailbox_approvals import MailboxApproval
from shared.database.models.users import User
from shared.database.repositories.approvals.mailbox_approvals import MailboxApprovalRepository
from shared.domain.approvals.mailbox_approval import ApprovalState
from tests.support.factories import Factory

NOW = datetime.now(UTC)


@pytest.fixture
def approvals(session: AsyncSession) -> MailboxApprovalRepository:
    return MailboxApprovalRepository(session)


async def approval(
    approvals: MailboxApprovalRepository, configuration: ArchiveConfiguration, person: UUID, **columns: Any
) -> MailboxApproval:
    values: dict[str, Any] = {
        "tenant_id": configuration.tenant_id,
        "owner_id": configuration.owner_id,
        "configuration_id": configuration.id,
        "person_id": person,
        "archive_person_id": configuration.archive_mailbox_id,
        "source_mailbox_id": person,
        "source_calendar_id": configuration.source_calendar_id,
        "archive_mailbox_id": configuration.archive_mailbox_id,
        "archive_calendar_id": configuration.archive_calendar_id,
        "purpose": "general",
        "days": 90,
        "requested_by": "user:x",
        "state": ApprovalState.APPROVED,
        "ends_at": NOW + timedelta(days=1),
    }
    return await approvals.add(MailboxApproval(**(values | columns)))


async def test_a_configuration_has_one_open_request_and_one_approval_in_force(
    approvals: MailboxApprovalRepository, make: Factory, session: AsyncSession
) -> None:
    configuration, person = await make.configuration(), uuid4()
    given = await approval(approvals, configuration, person)
    asked = await approval(approvals, configuration, person, state=ApprovalState.REQUESTED)
    assert await approvals.of_configuration(configuration.id) is given
    assert await approvals.of_configuration(configuration.id, requested=True) is asked
    with pytest.raises(AlreadyExists):
        async with session.begin_nested():
            await approval(approvals, configuration, person, state=ApprovalState.REQUESTED)


async def test_they_are_found_by_tenant_person_and_owner(
    approvals: MailboxApprovalRepository, make: Factory
) -> None:
    configuration, person = await make.configuration(), uuid4()
    given = await approval(approvals, configuration, person)
    tenant = configuration.tenant_id
    assert await approvals.get(uuid4(), given.id) is None
    assert await approvals.list(tenant, None, 10, seen_by=None) == [given]
    assert await approvals.list(tenant, None, 10, seen_by=(uuid4(), [uuid4()])) == []
    assert await approvals.list(tenant, None, 10, seen_by=(uuid4(), [person])) == [given]
    assert await approvals.list(tenant, None, 10, seen_by=None, states=["ended"]) == []
    assert await approvals.of_mailboxes(tenant, [person]) == [given]
    assert await approvals.open_of_person(tenant, person) == [given]


async def test_what_is_over_and_what_lapsed_is_found_by_time(
    approvals: MailboxApprovalRepository, make: Factory, session: AsyncSession
) -> None:
    configuration, person = await make.configuration(), uuid4()
    given = await approval(approvals, configuration, person, given_to_admin=True)
    owner = await session.get_one(User, configuration.owner_id)
    assert await approvals.over_unscoped(NOW, 10) == []
    assert await approvals.over_unscoped(NOW + timedelta(days=2), 10) == [given]
    assert await approvals.unseen_unscoped(NOW - timedelta(days=30), 10) == [given]
    await approvals.saw_admin(owner.tenant_id, owner.object_id, NOW)
    assert await approvals.unseen_unscoped(NOW - timedelta(days=30), 10) == []
    assert await approvals.is_admin(owner.tenant_id, owner.object_id, NOW)
    assert not await approvals.other_admin(owner.tenant_id, [owner.object_id], NOW)
    assert await approvals.other_admin(owner.tenant_id, [], NOW)
    assert await approvals.given_to(owner.tenant_id, owner.object_id) == [given]
    waiting = await approval(
        approvals, configuration, person, state=ApprovalState.REQUESTED, starts_at=NOW, ends_at=None
    )
    assert await approvals.unopposed_unscoped(NOW, 10) == [waiting]


async def test_a_mailbox_has_one_assistant(approvals: MailboxApprovalRepository) -> None:
    tenant, mailbox, one, other = (uuid4() for _ in range(4))
    await approvals.name_assistant(tenant, mailbox, one, NOW)
    await approvals.name_assistant(tenant, mailbox, other, NOW)
    assert await approvals.assistant_of(tenant, mailbox) == other
    assert await approvals.mailboxes_of_assistant(tenant, other) == [mailbox]
    await approvals.name_assistant(tenant, mailbox, None, NOW)
    assert await approvals.assistant_of(tenant, mailbox) is None

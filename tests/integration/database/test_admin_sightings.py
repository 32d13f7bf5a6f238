"""Who was seen with the role Admin (domain.md 6.5)."""

from datetime import UTC, datetime
from uuid import uuid4

from shared.database.engine import Database
from shared.database.repositories.approvals.admin_sightings import AdminSightings
from shared.database.repositories.approvals.mailbox_approvals import MailboxApprovalRepository


async def test_an_admin_is_remembered_in_their_tenant_until_seen_without_the_role(database: Database) -> None:
    tenant, person, now = uuid4(), uuid4(), datetime.now(UTC)
    sightings = AdminSightings(database)
    assert not await sightings.known(tenant, person)
    async with database.session() as session:
        await MailboxApprovalRepository(session).saw_admin(tenant, person, now)
    assert await sightings.known(tenant, person)
    assert not await sightings.known(uuid4(), person)
    async with database.session() as session:
        assert await MailboxApprovalRepository(session).saw_without_role(tenant, person)
        assert not await MailboxApprovalRepository(session).saw_without_role(tenant, person)
    assert not await sightings.known(tenant, person)

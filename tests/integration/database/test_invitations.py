"""Invitations."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.constraint_errors import AlreadyExists
from shared.database.models.system import Invitation
from shared.database.repositories.identity.invitations import InvitationRepository
from shared.domain.identity.first_sign_in import InvitationState
from tests.support.factories import TENANT, Factory

NOW = datetime.now(UTC)


async def test_the_open_one_of_an_address_is_found_in_its_tenant(
    session: AsyncSession, make: Factory
) -> None:
    invitations = InvitationRepository(session)
    made = await make.invitation(address="Ada@Example.com")
    await make.invitation(address="eve@example.com", expires_at=NOW - timedelta(seconds=1))
    await make.invitation(address="bob@example.com", state=InvitationState.REVOKED)
    assert await invitations.open_for(TENANT, ["x@example.com", "ada@example.com"], NOW) is made
    for address in ("eve@example.com", "bob@example.com"):
        assert await invitations.open_for(TENANT, [address], NOW) is None
    assert await invitations.open_for(uuid4(), ["ada@example.com"], NOW) is None
    assert await invitations.get(uuid4(), made.id) is None
    assert await invitations.get(TENANT, made.id, lock=True) is made


async def test_one_is_open_for_an_address(session: AsyncSession, make: Factory) -> None:
    await make.invitation(address="ada@example.com")
    again = Invitation(tenant_id=TENANT, address="ADA@example.com", invited_by="test", expires_at=NOW)
    with pytest.raises(AlreadyExists, match="open invitation"):
        await InvitationRepository(session).add(again)


async def test_what_ran_out_is_taken_back_for_a_new_one(session: AsyncSession, make: Factory) -> None:
    old = await make.invitation(address="ada@example.com", expires_at=NOW)
    other = await make.invitation(address="bob@example.com", expires_at=NOW)
    await InvitationRepository(session).close_expired(TENANT, "Ada@example.com", NOW)
    assert (old.state, old.closed_at) == (InvitationState.REVOKED, NOW)
    assert other.state == InvitationState.OPEN


async def test_pages_are_narrowed_to_a_state(session: AsyncSession, make: Factory) -> None:
    made = [await make.invitation() for _ in range(3)]
    made.sort(key=lambda invitation: (invitation.created_at, invitation.id))
    revoked = await make.invitation(state=InvitationState.REVOKED)
    invitations = InvitationRepository(session)
    first = await invitations.list(TENANT, None, 2, InvitationState.OPEN)
    assert first == made[:2]
    place = (first[-1].created_at, first[-1].id)
    assert await invitations.list(TENANT, place, 5, InvitationState.OPEN) == made[2:]
    assert await invitations.list(TENANT, None, 5, InvitationState.REVOKED) == [revoked]
    assert len(await invitations.list(TENANT, None, 9)) == 4

"""The ``invitations`` table: who may become a user at their first sign-in."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select

from shared.database.models.system import Invitation
from shared.database.repositories.base import Keyset, Repository, page
from shared.domain.identity.first_sign_in import InvitationState


class InvitationRepository(Repository):
    """The ``invitations`` table, always in one tenant."""

    async def add(self, invitation: Invitation) -> Invitation:
        """Insert the invitation. Raises AlreadyExists if the address has an open one."""
        await self._insert(invitation)
        return invitation

    async def get(self, tenant_id: UUID, invitation_id: UUID, *, lock: bool = False) -> Invitation | None:
        """An invitation of the tenant. ``lock`` holds it until the transaction ends."""
        statement = select(Invitation).where(
            Invitation.tenant_id == tenant_id, Invitation.id == invitation_id
        )
        return await self._one(statement, lock=lock)

    async def list(
        self, tenant_id: UUID, after: Keyset | None, limit: int, state: InvitationState | None = None
    ) -> list[Invitation]:
        """Invitations of the tenant in the order they were made. With ``state``, only those in that state."""
        statement = select(Invitation).where(Invitation.tenant_id == tenant_id)
        if state is not None:
            statement = statement.where(Invitation.state == state)
        return await self._all(page(statement, (Invitation.created_at, Invitation.id), after, limit))

    async def open_for(self, tenant_id: UUID, addresses: Sequence[str], now: datetime) -> Invitation | None:
        """The oldest open invitation of one of the addresses (lower case) that has not expired, locked."""
        return await self._one(
            select(Invitation)
            .where(
                Invitation.tenant_id == tenant_id,
                Invitation.state == InvitationState.OPEN,
                Invitation.expires_at > now,
                func.lower(Invitation.address).in_(addresses),
            )
            .order_by(Invitation.created_at, Invitation.id)
            .limit(1),
            lock=True,
        )

    async def close_expired(self, tenant_id: UUID, address: str, now: datetime) -> None:
        """Revoke expired invitations of an address, so that it can be invited again."""
        found = await self._all(
            select(Invitation)
            .where(
                Invitation.tenant_id == tenant_id,
                Invitation.state == InvitationState.OPEN,
                Invitation.expires_at <= now,
                func.lower(Invitation.address) == func.lower(address),
            )
            .with_for_update()
        )
        for invitation in found:
            invitation.state, invitation.closed_at = InvitationState.REVOKED, now
        await self._session.flush()

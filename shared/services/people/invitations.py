"""Invitations: who may become a user at their first sign-in (design.md, Who may)."""

from datetime import timedelta
from uuid import UUID, uuid4

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.system import Invitation
from shared.database.repositories.identity.invitations import InvitationRepository
from shared.database.repositories.identity.users import UserRepository
from shared.domain.identity.caller import Caller
from shared.domain.identity.first_sign_in import InvitationState
from shared.errors import Conflict, NotFound
from shared.schemas.invitations import InvitationCreate
from shared.schemas.paging import Position, Slice
from shared.services.audit.recording import AuditWriter
from shared.services.identity.access import session_for


class InvitationService:
    """Creates, lists and revokes invitations of a tenant."""

    def __init__(self, database: Database, clock: Clock, audit: AuditWriter) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit

    async def create(self, caller: Caller, wanted: InvitationCreate) -> Invitation:
        """Invite an address. Raises Conflict if it is invited already, or belongs to a user."""
        now = self._clock.now()
        invitation = Invitation(
            id=uuid4(),
            tenant_id=caller.tenant_id,
            address=wanted.address,
            invited_by=caller.actor,
            state=InvitationState.OPEN,
            user_id=None,
            expires_at=now + timedelta(days=wanted.days),
            created_at=now,
            closed_at=None,
        )
        async with session_for(self._database, caller) as (session, _):
            if await UserRepository(session).get_by_address(caller.tenant_id, wanted.address) is not None:
                raise Conflict("this person is a user already", code="already_exists")
            invitations = InvitationRepository(session)
            await invitations.close_expired(caller.tenant_id, wanted.address, now)
            await invitations.add(invitation)
            # The address is not audited: no person exists yet whose key could encrypt it (domain.md 7.1).
            changes = {"after": {"expires_at": invitation.expires_at.isoformat()}}
            await self._audit.record(session, "invitation.created", "invitation", invitation.id, changes)
        return invitation

    async def get(self, caller: Caller, invitation_id: UUID) -> Invitation:
        """An invitation of the caller's tenant. Raises NotFound."""
        async with session_for(self._database, caller) as (session, _):
            invitation = await InvitationRepository(session).get(caller.tenant_id, invitation_id)
        if invitation is None:
            raise NotFound("there is no such invitation")
        return invitation

    async def list(
        self, caller: Caller, after: Position | None, limit: int, state: str | None
    ) -> Slice[Invitation]:
        """Invitations in the order they were made. With ``state``, only those in that state."""
        wanted = InvitationState(state) if state else None
        async with session_for(self._database, caller) as (session, _):
            rows = await InvitationRepository(session).list(caller.tenant_id, after, limit + 1, wanted)
        return Slice.cut(rows, limit, lambda invitation: Position(invitation.created_at, invitation.id))

    async def revoke(self, caller: Caller, invitation_id: UUID) -> Invitation:
        """Revoke an open invitation. Raises NotFound, and Conflict for one that was accepted."""
        async with session_for(self._database, caller) as (session, _):
            invitation = await InvitationRepository(session).get(caller.tenant_id, invitation_id, lock=True)
            if invitation is None:
                raise NotFound("there is no such invitation")
            if invitation.state == InvitationState.ACCEPTED:
                raise Conflict("the invitation was accepted; deactivate the user", code="already_accepted")
            if invitation.state == InvitationState.REVOKED:
                return invitation
            invitation.state, invitation.closed_at = InvitationState.REVOKED, self._clock.now()
            changes = {"before": {"state": "open"}, "after": {"state": "revoked"}}
            await self._audit.record(session, "invitation.revoked", "invitation", invitation.id, changes)
        return invitation

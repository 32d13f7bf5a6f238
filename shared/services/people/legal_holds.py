"""A legal hold: nothing of the person may be erased while it lasts (domain.md 15.3)."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.users import User
from shared.domain.expected_version import ExpectedVersion
from shared.domain.identity.caller import Caller
from shared.errors import NotFound
from shared.services.audit.recording import AuditWriter
from shared.services.identity.access import session_for
from shared.services.people.users import refuse_erased


class LegalHoldService:
    """Sets and lifts holds on people of the caller's tenant."""

    def __init__(self, database: Database, clock: Clock, audit: AuditWriter) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit

    async def get(self, caller: Caller, user_id: UUID) -> User:
        """The person on hold. Raises NotFound for a missing person or hold."""
        async with session_for(self._database, caller) as (_, access):
            user = await access.writable_user(user_id)
        if not user.legal_hold:
            raise NotFound("there is no such legal hold")
        return user

    async def set(self, caller: Caller, user_id: UUID, reason: str, expected: ExpectedVersion) -> User:
        """Set it, or change its reason. Raises NotFound, PreconditionFailed; Conflict in an erasure."""
        async with session_for(self._database, caller) as (session, access):
            user = await access.locked_user(user_id, expected)
            await refuse_erased(session, user)
            if user.legal_hold_reason != reason:
                user.legal_hold_since = user.legal_hold_since or self._clock.now()
                user.legal_hold_reason = reason
                await self._changed(session, user, "user.legal_hold_set", reason)
        return user

    async def lift(self, caller: Caller, user_id: UUID, expected: ExpectedVersion) -> None:
        """Lift it. Raises NotFound for a missing person or hold, and PreconditionFailed."""
        async with session_for(self._database, caller) as (session, access):
            user = await access.locked_user(user_id, expected)
            if not user.legal_hold:
                raise NotFound("there is no such legal hold")
            reason, user.legal_hold_reason, user.legal_hold_since = user.legal_hold_reason, None, None
            await self._changed(session, user, "user.legal_hold_lifted", reason)

    async def _changed(self, session: AsyncSession, user: User, action: str, reason: str | None) -> None:
        user.touch(self._clock.now())
        await session.flush()
        # Text about a person is personal, so it is encrypted with their key.
        await self._audit.record(session, action, "user", user.id, {"note": reason}, on_behalf_of=user.id)

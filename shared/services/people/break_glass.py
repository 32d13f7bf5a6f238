"""Emergency access: an Admin briefly sees a person's private events, who is notified (6.3)."""

from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.break_glass import BreakGlassAccess
from shared.database.repositories.identity.break_glass import BreakGlassRepository
from shared.database.repositories.notifications.notifications import NotificationRepository
from shared.domain.expected_version import ExpectedVersion
from shared.domain.identity.caller import Caller
from shared.domain.notifications.break_glass_texts import closed_notice, opened_notice
from shared.domain.notifications.notification import Notice, Recipient
from shared.errors import Conflict, Forbidden, NotFound
from shared.schemas.paging import Position, Slice
from shared.services.audit.recording import AuditWriter
from shared.services.identity.access import Access, session_for


class BreakGlass:
    """Opens, lists and closes accesses. Each ends automatically."""

    def __init__(self, database: Database, clock: Clock, audit: AuditWriter) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit

    async def open(self, caller: Caller, user_id: UUID, reason: str, minutes: int) -> BreakGlassAccess:
        """Open the calling Admin's access to a user's private events. The user is notified at once.

        Raises NotFound, Forbidden for an application, and Conflict for one's own events or a second access.
        """
        admin = caller.person
        if admin is None:
            raise Forbidden("an emergency access is for a person to open", code="person_needed")
        now = self._clock.now()
        async with session_for(self._database, caller) as (session, access):
            # Of two concurrent requests, the second finds the access of the first.
            user = await access.locked_user(user_id)
            if user.object_id == admin:
                raise Conflict("these are your own events", code="own_content")
            accesses = BreakGlassRepository(session)
            if await accesses.open_of(caller.tenant_id, admin, user.id) is not None:
                raise Conflict("your access to them is open already", code="access_open")
            opened = await accesses.add(
                BreakGlassAccess(
                    id=uuid4(),
                    tenant_id=caller.tenant_id,
                    owner_id=user.id,
                    admin_id=admin,
                    reason=reason,
                    opened_at=now,
                    ends_at=now + timedelta(minutes=minutes),
                    version=1,
                    created_at=now,
                    updated_at=now,
                )
            )
            await self._record(session, opened, "opened", {"reason": reason, "minutes": minutes})
            notice = opened_notice(opened.id, reader_of(access), reason, opened.ends_at)
            await self._tell(session, opened, notice)
        return opened

    async def list(self, caller: Caller, after: Position | None, limit: int) -> Slice[BreakGlassAccess]:
        """Accesses in the order they were opened: the tenant's, or those to the caller's events."""
        async with session_for(self._database, caller) as (session, access):
            rows = await BreakGlassRepository(session).list(
                caller.tenant_id, access.readable_owner, after, limit + 1
            )
        return Slice.cut(rows, limit, lambda row: Position(row.created_at, row.id))

    async def get(self, caller: Caller, access_id: UUID) -> BreakGlassAccess:
        """An access visible to the caller. Raises NotFound."""
        async with session_for(self._database, caller) as (session, access):
            found = await BreakGlassRepository(session).get(
                caller.tenant_id, access_id, access.readable_owner
            )
        if found is None:
            raise NotFound("there is no such access")
        return found

    async def close(self, caller: Caller, access_id: UUID, expected: ExpectedVersion) -> BreakGlassAccess:
        """End an access early, by any Admin. One that is over stays unchanged. Raises NotFound."""
        now = self._clock.now()
        async with session_for(self._database, caller) as (session, access):
            found = await BreakGlassRepository(session).get(
                caller.tenant_id, access_id, access.writable_owner, lock=True
            )
            if found is None:
                raise NotFound("there is no such access")
            expected.check(found.version)
            if found.closed_at is None and found.ends_at > now:
                found.closed_at, found.closed_by, found.updated_at = now, caller.actor, now
                found.version += 1
                await session.flush()
                await self._record(session, found, "closed", {})
                await self._tell(session, found, closed_notice(found.id))
        return found

    async def _record(
        self, session: AsyncSession, access: BreakGlassAccess, what: str, told: dict[str, object]
    ) -> None:
        await self._audit.record(
            session,
            f"break_glass.{what}",
            "break_glass_access",
            access.id,
            {"after": {"ends_at": access.ends_at.isoformat(), **told}},
            on_behalf_of=access.owner_id,
        )

    async def _tell(self, session: AsyncSession, access: BreakGlassAccess, notice: Notice) -> None:
        recipient = Recipient(access.tenant_id, access.owner_id)
        await NotificationRepository(session).tell([(recipient, notice)], self._clock.now())


def reader_of(access: Access) -> str:
    """The text that a person sees for somebody who reads their data."""
    return access.own.display_name if access.own is not None else "An Admin"


async def note_use(
    database: Database, audit: AuditWriter, owner_id: UUID, resource_type: str, resource_id: UUID, events: int
) -> None:
    """Audit that an emergency access showed private events, and how many."""
    if not events:
        return
    async with database.session() as session:
        changes = {"after": {"private_events": events}}
        await audit.record(
            session, "break_glass.used", resource_type, resource_id, changes, on_behalf_of=owner_id
        )

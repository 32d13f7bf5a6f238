"""Notifications, as people read them (domain.md 10.1)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.notifications import Notification
from shared.database.repositories.notifications.notifications import Addressee, NotificationRepository
from shared.domain.expected_version import ExpectedVersion
from shared.domain.identity.caller import Caller
from shared.errors import NotFound
from shared.schemas.notifications import NotificationListQuery
from shared.schemas.paging import Position, Slice
from shared.services.audit.recording import AuditWriter
from shared.services.identity.access import NOBODY, Access, session_for


@dataclass(frozen=True, slots=True)
class Told:
    """A page of notifications, and the number of all unread ones."""

    page: Slice[Notification]
    unread: int


class NotificationService:
    """People read only their own, whatever their role. Admins also read those for the tenant's Admins."""

    def __init__(self, database: Database, clock: Clock, audit: AuditWriter) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit

    async def list(self, caller: Caller, query: NotificationListQuery) -> Told:
        """The caller's notifications, newest first. Raises ValidationFailed naming ``cursor``."""
        after = query.after
        async with self._database.session() as session:
            addressee = await _addressee(session, caller)
            notifications = NotificationRepository(session)
            rows = await notifications.list(addressee, after, query.limit + 1, query.unread, query.kind)
            unread = await notifications.unread(addressee)
        return Told(Slice.cut(rows, query.limit, lambda row: Position(row.created_at, row.id)), unread)

    async def get(self, caller: Caller, notification_id: UUID) -> Notification:
        """A notification addressed to the caller. Raises NotFound."""
        async with self._database.session() as session:
            addressee = await _addressee(session, caller)
            return _found(await NotificationRepository(session).get(addressee, notification_id))

    async def mark(
        self, caller: Caller, notification_id: UUID, *, read: bool, expected: ExpectedVersion
    ) -> Notification:
        """Mark one as read or unread, also repeatedly. Raises NotFound, PreconditionFailed."""
        async with self._database.session() as session:
            addressee = await _addressee(session, caller)
            row = _found(await NotificationRepository(session).get(addressee, notification_id, lock=True))
            expected.check(row.version)
            before = row.read_at is not None
            if before != read:
                now = self._clock.now()
                row.read_at = now if read else None
                row.touch(now)
                await session.flush()
                await self._audit.record(
                    session,
                    "notification.read" if read else "notification.unread",
                    "notification",
                    row.id,
                    {"before": {"read": before}, "after": {"read": read}},
                    on_behalf_of=row.owner_id,
                )
        return row

    async def mark_all(self, caller: Caller, until: datetime) -> tuple[int, UUID | None]:
        """Mark the caller's notifications up to ``until`` as read. Returns how many, and whose they are.

        A caller who is neither a user nor an Admin has none.
        """
        async with session_for(self._database, caller) as (session, access):
            addressee = _of(access)
            marked = await NotificationRepository(session).mark_read(addressee, until, self._clock.now())
            own = access.own.id if access.own is not None else None
            if marked:
                await self._audit.record(
                    session,
                    "notifications.read",
                    "user",
                    str(own or caller.object_id),
                    {"until": until.isoformat(), "notifications": sorted(map(str, marked))},
                    on_behalf_of=own,
                )
        return len(marked), own


async def _addressee(session: AsyncSession, caller: Caller) -> Addressee:
    return _of(await Access.of(session, caller))


def _of(access: Access) -> Addressee:
    caller = access.caller
    own = access.own.id if access.own is not None else NOBODY
    return Addressee(own, caller.tenant_id if caller.is_admin else None)


def _found(row: Notification | None) -> Notification:
    if row is None:
        raise NotFound("there is no such notification")
    return row

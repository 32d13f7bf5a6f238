"""Calendars kept in our own database (domain.md 1)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, delete, func, select

from shared.database.models.local_calendars import LocalCalendar, LocalEvent
from shared.database.repositories.base import Repository

# Nearly every request for a local calendar uses it, so the statement is built once.
_BY_ID = select(LocalCalendar).where(
    LocalCalendar.tenant_id == bindparam("tenant"), LocalCalendar.id == bindparam("id")
)
_OWN_BY_ID = _BY_ID.where(LocalCalendar.owner_id == bindparam("owner"))


class LocalCalendarRepository(Repository):
    """The ``local_calendars`` table in one tenant. ``owner_id`` limits it to one person."""

    async def add(self, calendar: LocalCalendar) -> LocalCalendar:
        """Insert it. Raises AlreadyExists if its owner has one of that name."""
        await self._insert(calendar)
        return calendar

    async def get(
        self, tenant_id: UUID, calendar_id: UUID, owner_id: UUID | None = None
    ) -> LocalCalendar | None:
        """The calendar in the tenant. With ``owner_id``, only if that user owns it."""
        parameters = {"tenant": tenant_id, "id": calendar_id}
        if owner_id is None:
            return await self._one(_BY_ID, parameters)
        return await self._one(_OWN_BY_ID, parameters | {"owner": owner_id})

    async def lock(
        self, tenant_id: UUID, calendar_id: UUID, owner_id: UUID | None = None
    ) -> LocalCalendar | None:
        """The calendar, locked until the transaction ends. Its events may be written in between."""
        return await self._one(
            select(LocalCalendar)
            .where(*_scope(tenant_id, calendar_id, owner_id))
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )

    async def keep(self, tenant_id: UUID, mailbox_id: UUID, calendar_id: UUID) -> LocalCalendar | None:
        """The calendar of the mailbox. Nobody can delete it until the transaction ends."""
        return await self._one(
            select(LocalCalendar)
            .where(
                LocalCalendar.tenant_id == tenant_id,
                LocalCalendar.mailbox_id == mailbox_id,
                LocalCalendar.id == calendar_id,
            )
            .with_for_update(read=True, key_share=True)
        )

    async def of_mailbox(self, tenant_id: UUID, mailbox_id: UUID) -> list[LocalCalendar]:
        """The calendars of a mailbox, by name."""
        return await self._all(
            select(LocalCalendar)
            .where(LocalCalendar.tenant_id == tenant_id, LocalCalendar.mailbox_id == mailbox_id)
            .order_by(LocalCalendar.name_key, LocalCalendar.id)
        )

    async def rename(self, calendar: LocalCalendar, name: str, key: str, now: datetime) -> None:
        """Rename it. Raises AlreadyExists if its owner has one of that name."""
        calendar.name, calendar.name_key = name, key
        calendar.touch(now)
        await self._insert(calendar)

    async def delete(self, owner_id: UUID, calendar_id: UUID) -> int:
        """Delete the owner's calendar with its events. Returns the number of events."""
        held = select(func.count()).where(
            LocalEvent.calendar_id == calendar_id, LocalEvent.owner_id == owner_id
        )
        events = (await self._session.execute(held)).scalar_one()
        await self._session.execute(
            delete(LocalCalendar).where(LocalCalendar.id == calendar_id, LocalCalendar.owner_id == owner_id)
        )
        return events


def _scope(tenant_id: UUID, calendar_id: UUID, owner_id: UUID | None) -> list[ColumnElement[bool]]:
    scope: list[ColumnElement[bool]] = [
        LocalCalendar.tenant_id == tenant_id,
        LocalCalendar.id == calendar_id,
    ]
    if owner_id is not None:
        scope.append(LocalCalendar.owner_id == owner_id)
    return scope

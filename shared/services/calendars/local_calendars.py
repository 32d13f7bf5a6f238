"""Calendars in our database: reading, renaming, deleting (domain.md 1)."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.local_calendars import LocalCalendar
from shared.database.models.users import User
from shared.database.repositories.calendars.local_calendars import LocalCalendarRepository
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.domain.calendars.local_calendar import local_id, local_row, name_key
from shared.domain.expected_version import ExpectedVersion
from shared.domain.identity.caller import Caller
from shared.errors import Conflict, FieldError, NotFound, ValidationFailed
from shared.schemas.calendars import LocalCalendarUpdate
from shared.services.audit.recording import AuditWriter
from shared.services.identity.access import session_for


@dataclass(frozen=True, slots=True)
class OwnedCalendar:
    """A local calendar and its owner."""

    calendar: LocalCalendar
    owner: User


class LocalCalendarService:
    """Each change locks the calendar, compares its version, and writes one audit row."""

    def __init__(self, database: Database, clock: Clock, audit: AuditWriter) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit

    async def get(self, caller: Caller, calendar_id: UUID) -> OwnedCalendar:
        """A calendar visible to the caller. Raises NotFound."""
        async with session_for(self._database, caller) as (session, access):
            row = await LocalCalendarRepository(session).get(
                caller.tenant_id, calendar_id, access.readable_owner
            )
            if row is None:
                raise _absent()
            return OwnedCalendar(row, await access.readable_user(row.owner_id))

    async def rename(
        self, caller: Caller, calendar_id: UUID, wanted: LocalCalendarUpdate, expected: ExpectedVersion
    ) -> OwnedCalendar:
        """Rename it. Configurations keep using it, because they store its id.

        Raises NotFound, PreconditionFailed, and Conflict if its owner has a local calendar of that name.
        """
        async with session_for(self._database, caller) as (session, access):
            calendars = LocalCalendarRepository(session)
            row = await calendars.lock(caller.tenant_id, calendar_id, access.writable_owner)
            if row is None:
                raise _absent()
            expected.check(row.version)
            owner, before = await access.writable_user(row.owner_id), row.name
            if before != wanted.name:
                await calendars.rename(row, wanted.name, name_key(wanted.name), self._clock.now())
                await self._audit.record(
                    session,
                    "local_calendar.renamed",
                    "local_calendar",
                    row.id,
                    {"before": {"name": before}, "after": {"name": row.name}},
                    on_behalf_of=owner.id,
                )
        return OwnedCalendar(row, owner)

    async def delete(self, caller: Caller, calendar_id: UUID, expected: ExpectedVersion) -> None:
        """Delete it with its events.

        Raises NotFound, PreconditionFailed, and Conflict while a configuration reads or writes it.
        """
        async with session_for(self._database, caller) as (session, access):
            calendars = LocalCalendarRepository(session)
            row = await calendars.get(caller.tenant_id, calendar_id, access.writable_owner)
            if row is None:
                raise _absent()
            # In this order, because saving a configuration locks the roles of calendars before the calendar.
            configurations = ArchiveConfigurationRepository(session)
            place = caller.tenant_id, row.mailbox_id, local_id(row.id)
            used = await configurations.uses_calendar_as_archive(
                *place
            ) or await configurations.uses_calendar_as_source(*place)
            row = await calendars.lock(caller.tenant_id, calendar_id, access.writable_owner)
            if row is None:
                raise _absent()
            expected.check(row.version)
            if used:
                raise Conflict("an archive configuration uses this calendar", code="in_use")
            events = await calendars.delete(row.owner_id, row.id)
            await self._audit.record(
                session,
                "local_calendar.deleted",
                "local_calendar",
                row.id,
                {"before": {"name": row.name, "events": events}},
                on_behalf_of=row.owner_id,
            )


async def hold_local_calendars(session: AsyncSession, configuration: ArchiveConfiguration) -> None:
    """Prevent deletion of a configuration's local calendars until the transaction ends.

    Raises ValidationFailed naming ``source`` or ``archive`` if one was deleted since it was resolved.
    """
    calendars = LocalCalendarRepository(session)
    for field, mailbox_id, calendar_id in (
        ("source", configuration.source_mailbox_id, configuration.source_calendar_id),
        ("archive", configuration.archive_mailbox_id, configuration.archive_calendar_id),
    ):
        row_id = local_row(calendar_id)
        if row_id is not None and not await calendars.keep(configuration.tenant_id, mailbox_id, row_id):
            message = "there is no such calendar any more"
            raise ValidationFailed([FieldError(field, message, "calendar_not_resolved")])


def _absent() -> NotFound:
    return NotFound("there is no such calendar")

"""Events of calendars in our database, for their owners (domain.md 1, 6.3)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.local_calendars import LocalCalendar, LocalEvent
from shared.database.models.users import User
from shared.database.repositories.calendars.local_calendars import LocalCalendarRepository
from shared.database.repositories.calendars.local_events import LocalEventRepository
from shared.domain.events.event_content import CONTENT_COLUMNS
from shared.domain.expected_version import ExpectedVersion
from shared.domain.identity.caller import Caller
from shared.domain.identity.disclosure import is_disclosed, uniform_line
from shared.domain.times.zones import find_zone
from shared.errors import FieldError, Forbidden, NotFound, ValidationFailed
from shared.schemas.base import columns_of
from shared.schemas.local_events import (
    LocalEventCreate,
    LocalEventListQuery,
    LocalEventResource,
    LocalEventSummary,
    LocalEventUpdate,
)
from shared.schemas.paging import Position, Slice
from shared.services.audit.recording import AuditWriter
from shared.services.identity.access import Access
from shared.services.operation.person_limits import refuse_local_event
from shared.services.operation.system_settings import SystemSettings
from shared.settings import Settings

_COLUMNS = {"start": "start_at", "end": "end_at"}


class LocalEventService:
    """Each change locks the event, compares its version, and writes one audit row.

    Other people see only the times of a private event, so they cannot change it either.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: Settings,
        audit: AuditWriter,
        system_settings: SystemSettings,
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._audit = audit
        self._system_settings = system_settings

    async def list(
        self, caller: Caller, calendar_id: UUID, query: LocalEventListQuery
    ) -> Slice[LocalEventSummary]:
        """The events of a calendar that touch the range, in order of start.

        Raises NotFound, and ValidationFailed naming ``window_end`` (the range is too long) or ``cursor``.
        """
        longest = timedelta(days=self._settings.max_window_days)
        if query.window_end - query.window_start > longest:
            message = f"the range must not be longer than {longest.days} days"
            raise ValidationFailed([FieldError("window_end", message, "range_too_long")])
        after = query.after
        async with self._database.session() as session:
            calendar = await _readable(session, caller, calendar_id)
            rows = await LocalEventRepository(session).window(
                calendar.id,
                query.window_start,
                query.window_end,
                after,
                query.limit + 1,
            )
        found = Slice.cut(rows, query.limit, lambda row: Position(row.start_at, row.id))
        return Slice(
            [LocalEventSummary(**_summary(row, _shown(caller, row))) for row in found.rows],
            found.next,
        )

    async def get(self, caller: Caller, calendar_id: UUID, event_id: UUID) -> LocalEventResource:
        """One event; raises NotFound."""
        async with self._database.session() as session:
            calendar = await _readable(session, caller, calendar_id)
            row = await LocalEventRepository(session).get(calendar.id, event_id)
        if row is None:
            raise _absent()
        return _resource(row, _shown(caller, row))

    async def create(
        self, caller: Caller, calendar_id: UUID, wanted: LocalEventCreate
    ) -> tuple[LocalEventResource, UUID]:
        """Add an event. Returns it and its owner.

        Raises NotFound, ValidationFailed naming each field, and LimitReached.
        """
        given = wanted.model_dump()
        given["end_zone"] = given["end_zone"] or given["start_zone"]
        columns = {_COLUMNS.get(name, name): value for name, value in given.items()}
        _check(columns)
        now = self._clock.now()
        in_force = await self._system_settings.of(caller.tenant_id)
        async with self._database.session() as session:
            calendar, owner = await _writable(session, caller, calendar_id)
            await refuse_local_event(session, owner.id, in_force)
            row = await LocalEventRepository(session).add(
                LocalEvent(
                    id=uuid4(),
                    owner_id=owner.id,
                    calendar_id=calendar.id,
                    version=1,
                    created_at=now,
                    updated_at=now,
                    **columns,
                )
            )
            await self._record(session, row, "created", {"after": _audited(row, CONTENT_COLUMNS)})
        return _resource(row, _shown(caller, row)), owner.id

    async def update(
        self,
        caller: Caller,
        calendar_id: UUID,
        event_id: UUID,
        wanted: LocalEventUpdate,
        expected: ExpectedVersion,
    ) -> tuple[LocalEventResource, UUID]:
        """Change the given fields. Returns the event and its owner.

        Raises NotFound, PreconditionFailed, ValidationFailed naming each field, and Forbidden for another
        person's private event.
        """
        given = {_COLUMNS.get(name, name): value for name, value in wanted.given().items()}
        async with self._database.session() as session:
            row, owner = await self._locked(session, caller, calendar_id, event_id, expected)
            _check({column: getattr(row, column) for column in CONTENT_COLUMNS} | given)
            changed = [column for column in given if getattr(row, column) != given[column]]
            if changed:
                named = (*changed, "sensitivity")
                before = _audited(row, named)
                for column in changed:
                    setattr(row, column, given[column])
                row.touch(self._clock.now())
                changes = {"before": before, "after": _audited(row, named)}
                await self._record(session, row, "updated", changes)
        return _resource(row, _shown(caller, row)), owner.id

    async def delete(
        self, caller: Caller, calendar_id: UUID, event_id: UUID, expected: ExpectedVersion
    ) -> None:
        """Delete an event. Raises NotFound, PreconditionFailed, and Forbidden as ``update``."""
        async with self._database.session() as session:
            row, _ = await self._locked(session, caller, calendar_id, event_id, expected)
            await LocalEventRepository(session).delete(row)
            await self._record(session, row, "deleted", {"before": _audited(row, CONTENT_COLUMNS)})

    async def _locked(
        self,
        session: AsyncSession,
        caller: Caller,
        calendar_id: UUID,
        event_id: UUID,
        expected: ExpectedVersion,
    ) -> tuple[LocalEvent, User]:
        calendar, owner = await _writable(session, caller, calendar_id)
        row = await LocalEventRepository(session).get(calendar.id, event_id, lock=True)
        if row is None:
            raise _absent()
        if not _shown(caller, row):
            raise Forbidden("another person's private event is nobody's to change", code="private_event")
        expected.check(row.version)
        return row, owner

    async def _record(
        self, session: AsyncSession, row: LocalEvent, what: str, changes: Mapping[str, Any]
    ) -> None:
        await self._audit.record(
            session,
            f"local_event.{what}",
            "local_event",
            row.id,
            {"local_calendar_id": str(row.calendar_id), **changes},
            on_behalf_of=row.owner_id,
        )


async def _readable(session: AsyncSession, caller: Caller, calendar_id: UUID) -> LocalCalendar:
    access = await Access.of(session, caller)
    calendars = LocalCalendarRepository(session)
    calendar = await calendars.get(caller.tenant_id, calendar_id, access.readable_owner)
    if calendar is None:
        raise NotFound("there is no such calendar")
    return calendar


async def _writable(session: AsyncSession, caller: Caller, calendar_id: UUID) -> tuple[LocalCalendar, User]:
    access = await Access.of(session, caller)
    calendars = LocalCalendarRepository(session)
    calendar = await calendars.get(caller.tenant_id, calendar_id, access.writable_owner)
    if calendar is None:
        raise NotFound("there is no such calendar")
    return calendar, await access.writable_user(calendar.owner_id)


def _check(columns: Mapping[str, Any]) -> None:
    """Check that the fields fit together. Raises ValidationFailed naming each field."""
    errors = [
        FieldError(name, "is neither an IANA nor a Windows time zone", "time_zone_unknown")
        for name in ("start_zone", "end_zone")
        if find_zone(columns[name]) is None
    ]
    start, end = columns["start_at"], columns["end_at"]
    if columns["is_all_day"]:
        errors += [
            FieldError(name, "must be midnight UTC of its date", "not_a_date")
            for name, instant in (("start", start), ("end", end))
            if instant.timestamp() % timedelta(days=1).total_seconds()
        ]
        if end <= start:
            errors.append(FieldError("end", "must be a later date than start", "range_order"))
    elif end < start:
        errors.append(FieldError("end", "must not be before start", "range_order"))
    if errors:
        raise ValidationFailed(errors)


def _shown(caller: Caller, row: LocalEvent) -> bool:
    """Whether the caller may see more than the times (domain.md 6.3)."""
    return is_disclosed(row.sensitivity, origin=row.origin_mailbox_id, viewer=caller.person)


def _audited(row: LocalEvent, columns: tuple[str, ...]) -> dict[str, Any]:
    values = {column: getattr(row, column) for column in columns}
    return {
        column: value.isoformat() if isinstance(value, datetime) else value
        for column, value in values.items()
    }


def _summary(row: LocalEvent, shown: bool) -> dict[str, Any]:
    derived = {"is_archived_copy": row.archive_key is not None, "local_calendar_id": row.calendar_id}
    told = derived | columns_of(row, LocalEventSummary, *derived, **_COLUMNS)
    if shown:
        return told
    return {**told, **uniform_line(row.start_at, row.end_at, is_all_day=row.is_all_day), "version": 1}


def _resource(row: LocalEvent, shown: bool) -> LocalEventResource:
    return LocalEventResource(
        **_summary(row, shown),
        body=row.body if shown else "",
        body_type=row.body_type if shown else "text",
        created_at=row.created_at,
        updated_at=row.updated_at if shown else row.created_at,
    )


def _absent() -> NotFound:
    return NotFound("there is no such event")

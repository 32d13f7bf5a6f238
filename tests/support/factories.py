"""Rows with sensible defaults, one method for each table; every keyword overrides a column."""

import itertools
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models import (
    Appointment,
    ArchiveConfiguration,
    ArchivedEvent,
    ArchiveOperation,
    ArchiveRun,
    AuditEntry,
    Base,
    Job,
    MailboxGate,
    User,
)
from shared.domain.archive_run import OperationAction, OperationState, RunKind
from shared.domain.archived_event import ArchivedEventState
from shared.domain.source_event import archive_key

#: The tenant of every row that names no other.
TENANT = uuid.UUID("11111111-1111-4111-8111-111111111111")
#: Monday, 2 March 2026, 09:00 UTC: start of the first event.
START = datetime(2026, 3, 2, 9, tzinfo=UTC)


# Shared by all factories of the process: several of them may write to one database.
_NUMBERS = itertools.count(1)


class Factory:
    """Adds rows to a session and flushes, so that their ids and defaults are there."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def user(self, **columns: Any) -> User:
        """An active person of the tenant."""
        number = next(_NUMBERS)
        defaults = {
            "tenant_id": TENANT,
            "object_id": uuid.uuid4(),
            "address": f"person{number}@example.com",
            "display_name": f"Person {number}",
        }
        return await self._add(User(**(defaults | columns)))

    async def configuration(self, owner: User | None = None, **columns: Any) -> ArchiveConfiguration:
        """An active general archive of the owner's own calendars."""
        owner = owner or await self.user()
        number = next(_NUMBERS)
        defaults = {
            "tenant_id": owner.tenant_id,
            "owner_id": owner.id,
            "name": f"Archive {number}",
            "source_reference": f"msgraph://{owner.address}/calendar",
            "source_mailbox_id": owner.object_id,
            "source_calendar_id": f"source-{number}",
            "archive_reference": f"msgraph://{owner.address}/calendars/Archive",
            "archive_mailbox_id": owner.object_id,
            "archive_calendar_id": f"archive-{number}",
            "time_zone": "Europe/Berlin",
            "archive_from": date(2026, 2, 1),
        }
        return await self._add(ArchiveConfiguration(**(defaults | columns)))

    async def job(self, configuration: ArchiveConfiguration | None = None, **columns: Any) -> Job:
        """A nightly job, due at ``START``."""
        configuration = configuration or await self.configuration()
        defaults = {
            "tenant_id": configuration.tenant_id,
            "owner_id": configuration.owner_id,
            "configuration_id": configuration.id,
            "schedule": {"kind": "daily", "at": "02:00"},
            "time_zone": configuration.time_zone,
            "next_run_at": START,
        }
        return await self._add(Job(**(defaults | columns)))

    async def run(self, configuration: ArchiveConfiguration | None = None, **columns: Any) -> ArchiveRun:
        """A queued manual run; each has a window of its own."""
        configuration = configuration or await self.configuration()
        start = START.replace(hour=0) + timedelta(days=next(_NUMBERS))
        defaults = {
            "tenant_id": configuration.tenant_id,
            "owner_id": configuration.owner_id,
            "configuration_id": configuration.id,
            "kind": RunKind.MANUAL,
            "window_start": start,
            "window_end": start + timedelta(days=1),
            "requested_by": "system:test",
            "correlation_id": uuid.uuid4().hex,
        }
        return await self._add(ArchiveRun(**(defaults | columns)))

    async def archived_event(
        self, configuration: ArchiveConfiguration | None = None, **columns: Any
    ) -> ArchivedEvent:
        """A single event whose copy is present."""
        configuration = configuration or await self.configuration()
        number = next(_NUMBERS)
        key = columns.get("source_key", f"s:event-{number}")
        defaults = {
            "owner_id": configuration.owner_id,
            "configuration_id": configuration.id,
            "source_key": key,
            "archive_key": archive_key(configuration.id, key),
            "source_id": f"event-{number}",
            "ical_uid": f"uid-{number}",
            "original_start": START,
            "state": ArchivedEventState.PRESENT,
            "copy_id": f"copy-{number}",
            "copy_etag": f'W/"{number}"',
            "revision": f"revision-{number}",
            "start_at": START,
        }
        return await self._add(ArchivedEvent(**(defaults | columns)))

    async def operation(
        self, run: ArchiveRun | None = None, event: ArchivedEvent | None = None, **columns: Any
    ) -> ArchiveOperation:
        """A planned create of an event that has no copy yet, with its record."""
        run = run or await self.run()
        event = event or await self._event_without_copy(run)
        defaults = {
            "owner_id": run.owner_id,
            "run_id": run.id,
            "configuration_id": run.configuration_id,
            "archived_event_id": event.id,
            "position": next(_NUMBERS),
            "source_key": event.source_key,
            "action": OperationAction.CREATE,
            "state": OperationState.PLANNED,
            "payload": {"subject": "Weekly"},
            "payload_bytes": 20,
            "record": record(),
            "revision": "revision",
        }
        return await self._add(ArchiveOperation(**(defaults | columns)))

    async def appointment(self, event: ArchivedEvent | None = None, **columns: Any) -> Appointment:
        """The record of an archived event, one hour long."""
        event = event or await self.archived_event()
        defaults = record() | {
            "owner_id": event.owner_id,
            "configuration_id": event.configuration_id,
            "archived_event_id": event.id,
            "start_at": event.start_at,
            "end_at": event.start_at + timedelta(hours=1),
        }
        return await self._add(Appointment(**(defaults | columns)))

    async def gate(self, mailbox_id: uuid.UUID | None = None, **columns: Any) -> MailboxGate:
        """The gate of a mailbox nobody holds."""
        return await self._add(MailboxGate(mailbox_id=mailbox_id or uuid.uuid4(), **columns))

    async def audit_entry(self, **columns: Any) -> AuditEntry:
        """A successful change made by the system."""
        defaults = {
            "tenant_id": TENANT,
            "occurred_at": START,
            "actor": "system:test",
            "action": "user.create",
            "resource_type": "user",
            "resource_id": str(uuid.uuid4()),
            "outcome": "success",
            "correlation_id": uuid.uuid4().hex,
            "changes": {},
        }
        return await self._add(AuditEntry(**(defaults | columns)))

    async def _event_without_copy(self, run: ArchiveRun) -> ArchivedEvent:
        number = next(_NUMBERS)
        configuration = await self._session.get_one(ArchiveConfiguration, run.configuration_id)
        return await self.archived_event(
            configuration,
            source_key=f"s:new-{number}",
            state=ArchivedEventState.CREATING,
            copy_id=None,
            copy_etag=None,
            revision="",
        )

    async def _add[Row: Base](self, row: Row) -> Row:
        self._session.add(row)
        await self._session.flush()
        return row


def record(**columns: Any) -> dict[str, Any]:
    """The ``record`` of an operation: the columns of an appointment, as JSON holds them."""
    defaults: dict[str, Any] = {
        "subject": "Weekly",
        "body": "<p>Notes</p>",
        "body_type": "html",
        "start_at": START.isoformat(),
        "end_at": (START + timedelta(hours=1)).isoformat(),
        "start_zone": "W. Europe Standard Time",
        "end_zone": "W. Europe Standard Time",
        "is_all_day": False,
        "location": "Room 1",
        "categories": ["Acme - billable"],
        "show_as": "busy",
        "importance": "normal",
        "sensitivity": "normal",
        "is_cancelled": False,
        "is_declined": False,
        "organizer": {"name": "Ann", "address": "ann@example.com"},
        "attendees": [{"name": "Bob", "address": "bob@example.com"}],
        "attachment_count": 0,
        "ical_uid": "uid",
        "revision": "revision",
    }
    return defaults | columns

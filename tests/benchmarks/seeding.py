"""People with archived appointments, written into the database at once: what reading is measured on."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, text

from infra.local import identities
from shared.database.engine import Database
from shared.database.models.appointments import Appointment
from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.local_calendars import LocalCalendar, LocalEvent
from shared.database.models.users import User
from shared.domain.calendars.local_calendar import name_key
from shared.domain.events.event_content import CONTENT_COLUMNS
from shared.domain.events.source_event import archive_key
from shared.settings import Settings
from tests.support.factories import record


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with appointments, one of them, and a local calendar of theirs with one event."""

    address: str
    object_id: str
    appointment_id: uuid.UUID
    calendar_id: uuid.UUID
    event_id: uuid.UUID


async def add_people(url: str, people: int, appointments: int, start: datetime) -> list[Person]:
    """``people`` of the local tenant with ``appointments`` of an hour each, one after another."""
    database = Database(Settings(database_url=url))  # type: ignore[arg-type]
    try:
        async with database.session() as session:
            rows: dict[type, list[dict[str, Any]]] = {
                model: []
                for model in (
                    *(User, ArchiveConfiguration, ArchivedEvent, Appointment),
                    *(LocalCalendar, LocalEvent),
                )
            }
            persons = [
                _person(f"reader-{number}@example.com", appointments, start, rows) for number in range(people)
            ]
            for model, values in rows.items():
                await session.execute(insert(model), values)
        async with database.session() as session:
            # New tables have no statistics yet; waiting for autovacuum would measure that.
            await session.execute(text("ANALYZE users, appointments, local_calendars, local_events"))
    finally:
        await database.close()
    return persons


def _person(
    address: str, appointments: int, start: datetime, rows: dict[type, list[dict[str, Any]]]
) -> Person:
    owner, configuration = uuid.uuid4(), uuid.uuid4()
    person = identities.object_id(address)
    tenant = uuid.UUID(identities.TENANT_ID)
    rows[User].append(
        {
            "id": owner,
            "tenant_id": tenant,
            "object_id": uuid.UUID(person),
            "address": address,
            "display_name": address,
        }
    )
    rows[ArchiveConfiguration].append(
        {
            "id": configuration,
            "tenant_id": tenant,
            "owner_id": owner,
            "name": "Archive",
            "source_reference": "",
            "source_mailbox_id": uuid.UUID(person),
            "source_calendar_id": "source",
            "archive_reference": "",
            "archive_mailbox_id": uuid.UUID(person),
            "archive_calendar_id": "archive",
            "time_zone": "UTC",
            "archive_from": start.date(),
        }
    )
    for number in range(appointments):
        event, began = uuid.uuid4(), start + timedelta(hours=number)
        key = f"s:{number}"
        scope = {"owner_id": owner, "configuration_id": configuration}
        rows[ArchivedEvent].append(
            scope
            | {
                "id": event,
                "source_key": key,
                "archive_key": archive_key(configuration, key),
                "source_id": str(number),
                "ical_uid": str(number),
                "original_start": began,
                "state": "present",
                "start_at": began,
            }
        )
        times = {"start_at": began, "end_at": began + timedelta(hours=1)}
        rows[Appointment].append(record() | scope | times | {"id": uuid.uuid4(), "archived_event_id": event})
    calendar, local_event = _local_calendar(tenant, owner, uuid.UUID(person), start, rows)
    return Person(address, person, rows[Appointment][-1]["id"], calendar, local_event)


def _local_calendar(
    tenant: uuid.UUID,
    owner: uuid.UUID,
    mailbox: uuid.UUID,
    start: datetime,
    rows: dict[type, list[dict[str, Any]]],
) -> tuple[uuid.UUID, uuid.UUID]:
    calendar, event = uuid.uuid4(), uuid.uuid4()
    rows[LocalCalendar].append(
        {
            "id": calendar,
            "tenant_id": tenant,
            "owner_id": owner,
            "mailbox_id": mailbox,
            "name": "Own",
            "name_key": name_key("Own"),
        }
    )
    kept = {name: value for name, value in record().items() if name in CONTENT_COLUMNS}
    times = {"start_at": start, "end_at": start + timedelta(hours=1)}
    rows[LocalEvent].append(kept | times | {"id": event, "owner_id": owner, "calendar_id": calendar})
    return calendar, event

"""The archive calendar of a world: one of the mailbox, or one kept in our own database (domain.md 1)."""

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from infra.local.graph_simulator.graph.rendering import raw_json
from infra.local.graph_simulator.state.model import Calendar
from shared import telemetry
from shared.database.engine import Database
from shared.database.models.local_calendars import LocalCalendar
from shared.domain.calendars.local_calendar import local_id
from shared.domain.expected_version import ANY_VERSION
from shared.domain.identity.caller import Caller
from shared.errors import AdminAssistantError
from shared.schemas.local_events import LocalEventUpdate
from tests.simulation import accounts
from tests.simulation.host import Host
from tests.simulation.mailbox import Person
from tests.simulation.source_keys import Json

_PROPERTIES = {
    "ArchiveKey": "archive_key",
    "ArchiveRevision": "archive_revision",
    "ArchiveSource": "archive_source",
}


class Archive(Protocol):
    """What the world needs of it. A copy that the owner touches is in ``Person.touched`` from then on."""

    reference: str
    calendar_id: str

    async def copies(self) -> list[Json]:
        """Every copy, in Graph's JSON."""
        ...

    async def touch(self) -> None:
        """The owner edits or deletes some copy."""
        ...


class GraphArchive:
    """A calendar of the mailbox."""

    def __init__(self, rng: random.Random, person: Person, calendar: Calendar) -> None:
        self._rng = rng
        self._person = person
        self._calendar = calendar
        self.reference = f"msgraph://ada@example.test/calendars/{calendar.name}"
        self.calendar_id = calendar.id

    def delete(self) -> None:
        """The calendar goes with all its copies."""
        self._person.graph.service.resources.delete_calendar(self._calendar)

    def follow(self, calendar_id: str) -> None:
        """The copies are in another calendar of the mailbox from now on."""
        self._calendar = self._person.mailbox.calendars[calendar_id]
        self.calendar_id = calendar_id

    async def copies(self) -> list[Json]:
        """As Graph shows them."""
        return self._person.instances(self._calendar)

    async def touch(self) -> None:
        """By Outlook."""
        copies = list(self._calendar.events.values())
        if not copies:
            return
        copy = self._rng.choice(copies)
        self._person.touch_copy(raw_json(copy))
        if self._rng.random() < 0.5:
            self._person.delete(copy)
        else:
            self._person.patch(copy, subject=f"By hand {self._rng.randrange(1000)}")


class LocalArchive:
    """A calendar of our own database, as its rows say; the owner edits it through the product's API."""

    def __init__(
        self,
        rng: random.Random,
        person: Person,
        observer: Database,
        owner: Caller,
        calendar: UUID,
        host: Callable[[], Host],
    ) -> None:
        self._rng = rng
        self._person = person
        self._observer = observer
        self._owner = owner
        self._calendar = calendar
        self._host = host
        self.reference = "local://ada@example.test/Archive"
        self.calendar_id = local_id(calendar)

    def enter(self, session: AsyncSession, owner_id: UUID, now: datetime) -> None:
        """Create the calendar, in the caller's transaction."""
        session.add(
            LocalCalendar(
                id=self._calendar,
                tenant_id=self._owner.tenant_id,
                owner_id=owner_id,
                mailbox_id=self._owner.object_id,
                name="Archive",
                name_key="archive",
                version=1,
                created_at=now,
                updated_at=now,
            )
        )

    async def copies(self) -> list[Json]:
        """The rows as Graph would show them."""
        (rows,) = await accounts.rows_once_answered(self._observer, "local_events ORDER BY created_at, id")
        return [_json(row) for row in rows]

    async def touch(self) -> None:
        """Through the API, which may answer that it does not know what became of it."""
        copies = await self.copies()
        if not copies:
            return
        copy = self._rng.choice(copies)
        deleted, event_id = self._rng.random() < 0.5, UUID(copy["id"])
        self._person.touch_copy(copy)
        events = self._host().app.calendars.local_events
        with suppress(AdminAssistantError), telemetry.bind(caller=self._owner, correlation="touch"):
            if deleted:
                await events.delete(self._owner, self._calendar, event_id, ANY_VERSION)
            else:
                wanted = LocalEventUpdate(subject=f"By hand {self._rng.randrange(1000)}")
                await events.update(self._owner, self._calendar, event_id, wanted, ANY_VERSION)


def _json(row: dict[str, Any]) -> Json:
    """A row as Graph would show it, without the product's own way of reading it."""
    return {
        "id": str(row["id"]),
        "changeKey": str(row["version"]),
        "subject": row["subject"],
        "body": {"contentType": row["body_type"], "content": row["body"]},
        "start": _date_time(row["start_at"]),
        "end": _date_time(row["end_at"]),
        "originalStartTimeZone": row["start_zone"],
        "isAllDay": row["is_all_day"],
        "location": {"displayName": row["location"]},
        "categories": list(row["categories"]),
        "showAs": row["show_as"],
        "importance": row["importance"],
        "sensitivity": row["sensitivity"],
        "singleValueExtendedProperties": [
            {"id": f"String Name {name}", "value": row[column]}
            for name, column in _PROPERTIES.items()
            if row[column] is not None
        ],
    }


def _date_time(instant: datetime) -> Json:
    return {"dateTime": f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}", "timeZone": "UTC"}

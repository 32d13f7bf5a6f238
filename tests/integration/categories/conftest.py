"""The app on the simulator, and a record of archived events to report on."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from infra.local.graph_simulator.loading.mailboxes import Loader
from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.users import User
from tests.integration.api.caller import Caller
from tests.integration.api.conftest import People, api, people, simulator
from tests.support.factories import START, Factory

__all__ = ["api", "people", "simulator"]

RANGE: dict[str, Any] = {"window_start": "2026-03-01T00:00:00Z", "window_end": "2026-04-01T00:00:00Z"}

type Record = Callable[..., Awaitable[UUID]]


@pytest.fixture
async def configuration(database: Database, people: People) -> ArchiveConfiguration:
    """Ada's archive, in Berlin."""
    async with database.session() as session:
        return await Factory(session).configuration(
            await session.get_one(User, people.ada.id), source_mailbox_id=people.ada.oid
        )


@pytest.fixture
def record(database: Database, configuration: ArchiveConfiguration) -> Record:
    """Records an archived event of Ada; returns its appointment's id."""

    async def recorded(
        *categories: str,
        start: datetime = START,
        hours: float = 1,
        event: dict[str, Any] | None = None,
        of: ArchiveConfiguration | None = None,
        **columns: Any,
    ) -> UUID:
        async with database.session() as session:
            make = Factory(session)
            row = await make.archived_event(of or configuration, **({"start_at": start} | (event or {})))
            defaults: dict[str, Any] = {
                "organizer": None,
                "attendees": [],
                "location": "",
                "subject": "Something",
            }
            return (
                await make.appointment(
                    row,
                    **defaults
                    | {"categories": list(categories), "start_at": start}
                    | {"end_at": start + timedelta(hours=hours)}
                    | columns,
                )
            ).id

    return recorded


@pytest.fixture
def in_outlook(api: Caller, people: People) -> Callable[..., Any]:
    """Puts an event into Ada's calendar; returns it as it stands there (``fields`` and ``id``)."""

    def put(subject: str, start: datetime = START, **fields: Any) -> Any:
        loader = Loader(api.simulator.state, api.simulator.settings)
        mailbox = api.simulator.state.find_mailbox(str(people.ada.oid))
        assert mailbox is not None
        before = set(mailbox.default_calendar.events)
        loader.load_events(mailbox.default_calendar, [_event(subject, start, fields)])
        (key,) = set(mailbox.default_calendar.events) - before
        return mailbox.default_calendar.events[key]

    return put


def _event(subject: str, start: datetime, fields: dict[str, Any]) -> dict[str, Any]:
    times = {"start": start, "end": start + timedelta(hours=1)}
    return {
        "subject": subject,
        **{
            name: {"dateTime": instant.replace(tzinfo=None).isoformat(), "timeZone": "UTC"}
            for name, instant in times.items()
        },
        **fields,
    }

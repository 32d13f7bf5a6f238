"""What counts, in SQL: the same as the domain says, for every combination of facts (domain.md 2.18)."""

import itertools
import json
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.database.models.appointments import Appointment
from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.users import User
from shared.database.repositories.appointments.appointments import AppointmentFilter, AppointmentRepository
from shared.database.repositories.appointments.own_appointments import OwnAppointments
from shared.domain.appointments.counting import CountingFacts, WhyNot, why_not
from shared.domain.identity.caller import Caller
from shared.domain.overlaps.status import Exclusion
from shared.domain.planning.purpose import LeftOut
from shared.domain.runs.archived_event import ArchivedEventState
from tests.support.factories import START, Factory
from tests.support.records import record

RANGE = (START, START + timedelta(days=1))


def every_combination() -> list[CountingFacts]:
    """Of an event that has an appointment."""
    flags = (False, True)
    return [
        CountingFacts(state, left_out, excluded, True, cancelled, declined, all_day, show_as)
        for state, left_out, excluded, cancelled, declined, all_day, show_as in itertools.product(
            ArchivedEventState,
            (None, LeftOut.FREE, LeftOut.RESOLUTION),
            (None, *Exclusion),
            *(flags, flags, flags),
            ("busy", "free"),
        )
    ]


type Verdicts = dict[UUID, WhyNot | None]


async def recorded(session: AsyncSession, user: User) -> Verdicts:
    """An appointment of the user for each combination, and what the domain says of it."""
    configuration = await Factory(session).configuration(user)
    facts = every_combination()
    owned = {"owner_id": user.id, "configuration_id": configuration.id}
    events = [
        ArchivedEvent(
            **owned,
            **dict.fromkeys(("source_key", "archive_key", "source_id", "ical_uid"), f"{number}"),
            original_start=START,
            start_at=START,
            state=each.state,
            left_out=each.left_out,
        )
        for number, each in enumerate(facts)
    ]
    session.add_all(events)
    await session.flush()
    names = ("excluded", "is_cancelled", "is_declined", "is_all_day", "show_as")
    rows = [
        Appointment(
            **record()
            | owned
            | {"archived_event_id": event.id, "start_at": START, "end_at": RANGE[1]}
            | {name: getattr(each, name) for name in names}
        )
        for each, event in zip(facts, events, strict=True)
    ]
    session.add_all(rows)
    await session.flush()
    return {row.id: why_not(each) for each, row in zip(facts, rows, strict=True)}


async def test_a_filtered_list_holds_what_the_domain_says(database: Database) -> None:
    async with database.session() as session:
        ada = await Factory(session).user()
        verdicts = await recorded(session, ada)

    async def listed(counts: bool | None = None, reason: WhyNot | None = None) -> Verdicts:
        wanted = AppointmentFilter(*RANGE, counts=counts, why_not=reason)
        async with database.reading() as reading:
            found = await AppointmentRepository(reading).list(ada.id, wanted, limit=len(verdicts) + 1)
        return {each.row.id: each.why_not for each in found}

    assert await listed() == verdicts
    for counts in (True, False):
        assert await listed(counts) == {
            row: reason for row, reason in verdicts.items() if (reason is None) == counts
        }
    for reason in WhyNot:
        assert await listed(reason=reason) == {row: each for row, each in verdicts.items() if each is reason}
    assert await listed(True, WhyNot.FREE) == {}
    own = await OwnAppointments(database).list(
        Caller.user(ada.tenant_id, ada.object_id), *RANGE, None, len(verdicts) + 1
    )
    told = {row["id"]: json.loads(row["summary"]) for row in own.rows}
    assert {row: each["reason_code"] for row, each in told.items()} == verdicts
    assert all(each["counts"] == (each["reason_code"] is None) for each in told.values())

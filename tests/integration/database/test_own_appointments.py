"""OwnAppointments: a person's own list, which equals the general one."""

import uuid
from datetime import timedelta

from shared.database.engine import Database
from shared.database.models.users import User
from shared.database.repositories.appointments.appointments import AppointmentFilter, AppointmentRepository
from shared.database.repositories.appointments.own_appointments import OwnAppointments
from shared.domain.identity.caller import Caller
from tests.support.factories import START, TENANT, Factory

DAY = timedelta(days=1)


def caller(user: User) -> Caller:
    return Caller.user(user.tenant_id, user.object_id)


async def person(database: Database, days: int, **columns: object) -> tuple[User, list[uuid.UUID]]:
    """A person with an appointment on each of this many days."""
    async with database.session() as session:
        make = Factory(session)
        user = await make.user(**columns)
        configuration = await make.configuration(user)
        made = [
            await make.appointment(
                await make.archived_event(configuration),
                start_at=START + day * DAY,
                end_at=START + day * DAY + DAY / 2,
            )
            for day in range(days)
        ]
        return user, [appointment.id for appointment in made]


async def test_a_page_holds_what_the_general_list_holds_and_the_next_one_continues(
    database: Database,
) -> None:
    ada, ids = await person(database, 5)
    await person(database, 3)
    own = OwnAppointments(database)
    start, end = START + DAY / 4, START + 3 * DAY
    first = await own.list(caller(ada), start, end, None, 2)
    assert first.active
    assert [row["id"] for row in first.rows] == ids[:2]
    last = first.rows[-1]
    rest = await own.list(caller(ada), start, end, (last["start"], last["id"]), 10)
    assert [row["id"] for row in rest.rows] == ids[2:3]
    async with database.reading() as session:
        general = await AppointmentRepository(session).list(ada.id, AppointmentFilter(start, end))
    assert [each.row.id for each in general] == [row["id"] for row in (*first.rows, *rest.rows)]


async def test_one_comes_with_body_and_people_and_only_to_its_owner(database: Database) -> None:
    (ada, (mine,)), (_, (others,)) = await person(database, 1), await person(database, 1)
    own = OwnAppointments(database)
    (found,) = (await own.get(caller(ada), mine)).rows
    assert found["user_id"] == ada.id
    assert isinstance(found["attendees"], list)
    assert (await own.get(caller(ada), others)).rows == []
    elsewhere = Caller.user(uuid.uuid4(), ada.object_id)
    assert (await own.get(elsewhere, mine)).rows == []


async def test_a_stranger_is_told_from_somebody_without_appointments_and_from_one_deactivated(
    database: Database,
) -> None:
    nothing, _ = await person(database, 0)
    gone, _ = await person(database, 1, active=False)
    own = OwnAppointments(database)
    stranger = Caller.user(TENANT, uuid.uuid4())
    told = [
        (await own.list(each, START, START + DAY, None, 10)).active
        for each in (stranger, caller(nothing), caller(gone))
    ]
    assert told == [None, True, False]
    assert (await own.list(caller(nothing), START, START + DAY, None, 10)).rows == []

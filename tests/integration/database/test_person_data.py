"""A person's rows in any table: counted, read in pages and deleted in pieces, and only theirs."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.appointments import Appointment
from shared.database.models.overlaps import OverlapGroup
from shared.database.models.users import User
from shared.database.repositories.people.person_data import Holding, Person, PersonDataRepository, holdings
from tests.support.factories import Factory


def of(user: User) -> Person:
    return Person(user.id, user.tenant_id, user.object_id, user.address, user.display_name)


def held(name: str) -> Holding:
    return next(holding for holding in holdings() if holding.name == name)


async def test_rows_are_counted_and_read_in_pages(session: AsyncSession, make: Factory) -> None:
    user = await make.user()
    configuration, other = await make.configuration(user), await make.configuration()
    for _ in range(5):
        await make.appointment(await make.archived_event(configuration))
    await make.appointment(await make.archived_event(other))
    data, appointments = PersonDataRepository(session), held("appointments")
    assert await data.count(appointments, of(user)) == 5
    found, after = [], None
    while page := await data.page(appointments, of(user), after, 2):
        found += page
        after = [page[-1]["id"]]
    assert len({row["id"] for row in found}) == 5
    assert {row["owner_id"] for row in found} == {user.id}


async def test_rows_are_deleted_in_pieces_and_others_stay(session: AsyncSession, make: Factory) -> None:
    user = await make.user()
    configuration, other = await make.configuration(user), await make.configuration()
    for _ in range(3):
        await make.appointment(await make.archived_event(configuration))
    kept = await make.appointment(await make.archived_event(other))
    data, appointments = PersonDataRepository(session), held("appointments")
    assert [await data.delete_some(appointments, of(user), 2) for _ in range(3)] == [2, 1, 0]
    assert (await session.execute(select(Appointment.id))).scalars().all() == [kept.id]


async def test_rows_of_one_table_that_refer_to_each_other_go_last_one_first(
    session: AsyncSession, make: Factory
) -> None:
    user = await make.user()
    configuration = await make.configuration(user)
    first = await make.overlap_group(await make.archived_event(configuration))
    second = await make.overlap_group(
        await make.archived_event(configuration), status="merged", merged_into=first.id
    )
    await make.overlap_group(await make.archived_event(configuration), status="merged", merged_into=second.id)
    data, members, groups = PersonDataRepository(session), held("overlap_members"), held("overlap_groups")
    assert await data.count(members, of(user)) == 3
    assert await data.delete_some(members, of(user), 10) == 3
    assert [await data.delete_some(groups, of(user), 10) for _ in range(4)] == [1, 1, 1, 0]
    assert (await session.execute(select(OverlapGroup))).first() is None


async def test_requests_and_invitations_of_a_person_are_theirs(session: AsyncSession, make: Factory) -> None:
    user = await make.user()
    await make.invitation(address=user.address.upper())
    await make.invitation()
    await make.gate(user.object_id)
    await make.gate()
    data = PersonDataRepository(session)
    assert await data.count(held("invitations"), of(user)) == 1
    assert await data.count(held("mailbox_gates"), of(user)) == 1

"""A person is removed from the fields of other people's rows."""

from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.idempotency import IdempotencyKey
from shared.database.repositories.people.person_data import Person
from shared.database.repositories.people.person_mentions import PersonMentionRepository
from tests.support.factories import TENANT, Factory, record

HER = Person(uuid4(), TENANT, uuid4(), "Ada@example.com", "Ada King")
ATTENDED = {"name": "Ada King", "address": "ada@EXAMPLE.com", "response": "accepted"}
BOB = {"name": "Bob", "address": "bob@example.com"}


async def test_she_is_taken_out_of_organizers_and_attendees(session: AsyncSession, make: Factory) -> None:
    configuration = await make.configuration()
    event = await make.archived_event(configuration)
    met = await make.appointment(event, organizer=BOB, attendees=[ATTENDED, BOB])
    alone = await make.appointment(await make.archived_event(configuration), organizer=None, attendees=[])
    planned = record(organizer=ATTENDED, attendees=[BOB, ATTENDED])
    operation = await make.operation(await make.run(configuration), record=planned)
    mentions = PersonMentionRepository(session)
    assert await mentions.clear_appointments(HER, configuration.owner_id) == 1
    assert await mentions.clear_appointments(HER, configuration.owner_id) == 0
    for row in (met, alone, operation):
        await session.refresh(row)
    erased = {"name": "", "address": "", "response": "accepted"}
    assert (met.organizer, met.attendees) == (BOB, [erased, BOB])
    assert (alone.organizer, alone.attendees) == (None, [])
    assert operation.record is not None
    assert (operation.record["organizer"], operation.record["attendees"]) == (erased, [BOB, erased])
    assert operation.record["subject"] == planned["subject"]


async def test_references_name_her_mailbox_by_its_id(session: AsyncSession, make: Factory) -> None:
    configuration = await make.configuration(
        archive_reference="msgraph://ada@example.com/calendars/A%2FB", archive_mailbox_id=HER.object_id
    )
    untouched = configuration.source_reference
    assert await PersonMentionRepository(session).clear_references(HER) == 1
    await session.refresh(configuration)
    assert configuration.archive_reference == f"msgraph://{HER.object_id}/calendars/A%2FB"
    assert configuration.source_reference == untouched


async def test_kept_answers_that_name_her_are_forgotten(session: AsyncSession) -> None:
    def answer(operation: str, body: str, **columns: object) -> IdempotencyKey:
        values = {"tenant_id": TENANT, "caller": "user:x", "key": str(uuid4()), "request_hash": b"h"}
        return IdempotencyKey(operation=operation, body=body.encode(), **(values | columns))

    session.add_all(
        [
            answer("create_user", '{"address":"ada@example.com"}'),
            answer("update_user", '{"display_name":"Ada King"}'),
            answer("add_users_in_bulk", "{}"),
            answer("create_user", '{"address":"bob@example.com"}'),
            answer("create_user", '{"address":"ada@example.com"}', tenant_id=uuid4()),
        ]
    )
    await session.flush()
    assert await PersonMentionRepository(session).forget_answers(HER) == 3


async def test_the_others_are_everyone_else_of_the_tenant(session: AsyncSession, make: Factory) -> None:
    others = sorted([(await make.user()).id for _ in range(3)])
    await make.user(tenant_id=uuid4())
    mentions = PersonMentionRepository(session)
    assert await mentions.others(HER, None, 2) == others[:2]
    assert await mentions.others(HER, others[1], 2) == others[2:]

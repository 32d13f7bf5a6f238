"""What a viewer sees of events is the same in SQL as in the domain (domain.md 6.3)."""

from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.appointments import Appointment
from shared.database.repositories.identity.disclosure import disclosed, hidden_sql
from shared.domain.identity.disclosure import is_disclosed
from tests.support.factories import Factory

SENSITIVITIES = ("normal", "personal", "private", "confidential")


@pytest.mark.parametrize("who", ["the person", "another", "an application"])
async def test_sql_shows_what_the_domain_shows(session: AsyncSession, make: Factory, who: str) -> None:
    person = await make.user()
    viewer: UUID | None = {"the person": person.object_id, "another": uuid4()}.get(who)
    origins = (person.object_id, uuid4())
    rows = []
    for sensitivity, origin in product(SENSITIVITIES, origins):
        event = await make.archived_event(await make.configuration(person))
        rows.append(await make.appointment(event, sensitivity=sensitivity, origin_mailbox_id=origin))
    expected = {
        row.id for row in rows if is_disclosed(row.sensitivity, origin=row.origin_mailbox_id, viewer=viewer)
    }
    found = await session.execute(select(Appointment.id).where(disclosed(Appointment, viewer)))
    assert set(found.scalars()) == expected
    hidden = f"SELECT id FROM appointments a WHERE NOT {hidden_sql('a')}"  # noqa: S608
    assert set((await session.execute(text(hidden), {"viewer": viewer})).scalars()) == expected


async def test_rows_know_whose_event_they_are_by_the_mailbox_it_comes_from(
    session: AsyncSession, make: Factory
) -> None:
    read, owner = uuid4(), await make.user()
    configuration = await make.configuration(owner, source_mailbox_id=read)
    event = await make.archived_event(configuration)
    rows: list[Any] = [
        event,
        await make.appointment(event),
        await make.operation(await make.run(configuration), event),
    ]
    calendar = await make.local_calendar(owner)
    source = f'{{"configuration":"{configuration.id}","source":"x"}}'
    rows.append(await make.local_event(calendar, archive_key="key", archive_source=source))
    for row in rows:
        await session.refresh(row)
        assert row.origin_mailbox_id == read
    entered = await make.local_event(calendar)
    await session.refresh(entered)
    assert entered.origin_mailbox_id == owner.object_id
    # A calendar that is shared into a mailbox is its owner's all the same.
    shared = await make.archived_event(await make.configuration(owner, source_person_id=read))
    await session.refresh(shared)
    assert shared.origin_mailbox_id == read

"""Calendars of our own: one name once for a person, nothing of one tenant or owner for another."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.constraint_errors import AlreadyExists
from shared.database.models.local_calendars import LocalCalendar
from shared.database.models.users import User
from shared.database.repositories.calendars.local_calendars import LocalCalendarRepository
from shared.database.repositories.calendars.local_events import LocalEventRepository
from shared.domain.calendars.local_calendar import name_key
from tests.support.factories import START, TENANT, Factory


def calendar(owner: User, name: str) -> LocalCalendar:
    return LocalCalendar(
        id=uuid4(),
        tenant_id=owner.tenant_id,
        owner_id=owner.id,
        mailbox_id=owner.object_id,
        name=name,
        name_key=name_key(name),
        version=1,
    )


async def test_a_name_is_taken_once_for_one_person_in_whatever_letter_case(
    session: AsyncSession, make: Factory
) -> None:
    calendars = LocalCalendarRepository(session)
    ada, bob = await make.user(), await make.user()
    await calendars.add(calendar(ada, "Straße"))
    await calendars.add(calendar(bob, "Straße"))
    with pytest.raises(AlreadyExists, match="A calendar with this name"):
        async with session.begin_nested():
            await calendars.add(calendar(ada, "STRASSE"))
    second = await calendars.add(calendar(ada, "Other"))
    with pytest.raises(AlreadyExists):
        async with session.begin_nested():
            await calendars.rename(second, "strasse", name_key("strasse"), START)


async def test_a_calendar_is_found_by_its_tenant_its_owner_and_its_mailbox_only(
    session: AsyncSession, make: Factory
) -> None:
    calendars = LocalCalendarRepository(session)
    ada, bob = await make.user(), await make.user()
    row = await calendars.add(calendar(ada, "Diary"))
    elsewhere = uuid4()
    assert await calendars.get(TENANT, row.id) is row
    assert await calendars.get(TENANT, row.id, ada.id) is row
    assert await calendars.get(TENANT, row.id, bob.id) is None
    assert await calendars.get(elsewhere, row.id) is None
    assert await calendars.lock(TENANT, row.id, bob.id) is None
    assert await calendars.keep(TENANT, ada.object_id, row.id) is row
    assert await calendars.keep(TENANT, bob.object_id, row.id) is None
    assert await calendars.keep(elsewhere, ada.object_id, row.id) is None
    assert await calendars.of_mailbox(TENANT, ada.object_id) == [row]
    assert await calendars.of_mailbox(TENANT, bob.object_id) == []
    assert await calendars.of_mailbox(elsewhere, ada.object_id) == []


async def test_a_deleted_calendar_takes_its_events_with_it(session: AsyncSession, make: Factory) -> None:
    calendars, events = LocalCalendarRepository(session), LocalEventRepository(session)
    ada = await make.user()
    gone, stays = [await calendars.add(calendar(ada, name)) for name in ("Gone", "Stays")]
    for row in (gone, gone, stays):
        await events.create_many(row, [event_row()], START)
    assert await calendars.delete(uuid4(), gone.id) == 0
    assert await calendars.get(TENANT, gone.id) is not None
    assert await calendars.delete(ada.id, gone.id) == 2
    session.expunge_all()
    assert await calendars.get(TENANT, gone.id) is None
    assert len(await events.window(stays.id, START, START.replace(hour=23), None, 10)) == 1
    assert await events.window(gone.id, START, START.replace(hour=23), None, 10) == []


def event_row(row_id: UUID | None = None, **columns: object) -> dict[str, object]:
    """An event's columns, as JSON holds them."""
    defaults: dict[str, object] = {
        "id": str(row_id or uuid4()),
        "subject": "Weekly",
        "body": "",
        "body_type": "text",
        "start_at": START.isoformat(),
        "end_at": START.replace(hour=10).isoformat(),
        "start_zone": "UTC",
        "end_zone": "UTC",
        "is_all_day": False,
        "location": "",
        "categories": [],
        "show_as": "busy",
        "importance": "normal",
        "sensitivity": "normal",
    }
    return defaults | columns

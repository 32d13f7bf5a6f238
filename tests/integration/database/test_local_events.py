"""Events of calendars of our own: written once by their transaction, changed at their version only."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.local_calendars import LocalCalendar
from shared.database.models.users import User
from shared.database.repositories.calendars.local_calendars import LocalCalendarRepository
from shared.database.repositories.calendars.local_events import LocalEventRepository
from tests.integration.database.test_local_calendars import calendar, event_row
from tests.support.factories import START, TENANT, Factory

HOUR = timedelta(hours=1)


async def diary(session: AsyncSession, owner: User, name: str = "Diary") -> LocalCalendar:
    return await LocalCalendarRepository(session).add(calendar(owner, name))


async def test_a_transaction_makes_one_event_in_a_calendar(session: AsyncSession, make: Factory) -> None:
    events = LocalEventRepository(session)
    owner = await make.user()
    first, second = await diary(session, owner), await diary(session, owner, "Second")
    one, two, three = uuid4(), uuid4(), uuid4()
    rows = [event_row(one, transaction_id="a"), event_row(two, transaction_id="b")]
    assert await events.create_many(first, rows, START) == {one, two}
    # The same again, with a new one between; and twice in one statement.
    again = [
        event_row(transaction_id="a", subject="Other"),
        event_row(three, transaction_id="c"),
        event_row(transaction_id="c"),
    ]
    assert await events.create_many(first, again, START) == {three}
    assert await events.by_transaction(first.id, ["a", "b", "c", "d"]) == {"a": one, "b": two, "c": three}
    assert len(await events.create_many(second, [event_row(transaction_id="a")], START)) == 1
    kept = await events.get(first.id, one)
    assert kept is not None
    assert (kept.subject, kept.version, kept.owner_id, kept.created_at) == ("Weekly", 1, owner.id, START)


async def test_an_event_is_changed_at_its_version_and_in_its_mailbox_only(
    session: AsyncSession, make: Factory
) -> None:
    events = LocalEventRepository(session)
    ada, bob = await make.user(), await make.user()
    row = await diary(session, ada)
    event = uuid4()
    await events.create_many(row, [event_row(event, categories=["Acme - billable"])], START)
    change = {"id": str(event), "subject": "Monthly"}
    for tenant, mailbox, version in (
        (TENANT, bob.object_id, 1),
        (uuid4(), ada.object_id, 1),
        (TENANT, ada.object_id, 2),
        (TENANT, ada.object_id, 0),
    ):
        assert await events.update_many(tenant, mailbox, [change | {"version": version}], START) == {}
    place = TENANT, ada.object_id
    assert await events.update_many(*place, [change | {"version": 1}], START + HOUR) == {event: 2}
    assert await events.update_many(*place, [change], START + HOUR) == {event: 3}
    changed = await events.get(row.id, event, lock=True)
    assert changed is not None
    assert (changed.subject, changed.categories, changed.updated_at) == (
        "Monthly",
        ["Acme - billable"],
        START + HOUR,
    )


async def test_events_are_found_by_id_and_by_archive_key_in_their_own_mailbox(
    session: AsyncSession, make: Factory
) -> None:
    events = LocalEventRepository(session)
    ada, bob = await make.user(), await make.user()
    first, second = await diary(session, ada), await diary(session, ada, "Second")
    old, new, other = uuid4(), uuid4(), uuid4()
    await events.create_many(first, [event_row(new, archive_key="k")], START + HOUR)
    await events.create_many(first, [event_row(old, archive_key="k")], START)
    await events.create_many(second, [event_row(other, archive_key="k")], START)
    ids = [old, new, other, uuid4()]
    mine = TENANT, ada.object_id
    assert {row.id for row in await events.of_mailbox(*mine, ids)} == {old, new, other}
    assert [row.id for row in await events.of_mailbox(*mine, ids, second.id)] == [other]
    assert await events.of_mailbox(TENANT, bob.object_id, ids) == []
    assert await events.of_mailbox(uuid4(), ada.object_id, ids) == []
    assert [row.id for row in await events.by_archive_key(*mine, first.id, "k")] == [old, new]
    assert await events.by_archive_key(TENANT, bob.object_id, first.id, "k") == []


async def test_a_window_is_half_open_and_its_pages_leave_nothing_out(
    session: AsyncSession, make: Factory
) -> None:
    events = LocalEventRepository(session)
    row = await diary(session, await make.user())
    spans = {
        "before": (START - HOUR, START),
        "across": (START - HOUR, START + HOUR),
        "moment": (START, START),
        "inside": (START + HOUR, START + 2 * HOUR),
        "after": (START + 3 * HOUR, START + 4 * HOUR),
    }
    for name, (start, end) in spans.items():
        columns: dict[str, Any] = {"subject": name, "start_at": start.isoformat(), "end_at": end.isoformat()}
        await events.create_many(row, [event_row(**columns)], START)
    found: list[str] = []
    after = None
    while page := await events.window(row.id, START, START + 3 * HOUR, after, 1):
        found += [event.subject for event in page]
        after = (page[-1].start_at, page[-1].id)
    assert found == ["across", "moment", "inside"]

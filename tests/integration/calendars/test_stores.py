"""The store itself: each id to its own store, each write once, nothing of one mailbox for another."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest

from shared import telemetry
from shared.domain.calendars.calendar_port import Verdict, Write
from shared.domain.copies.archive_copy import ARCHIVE_KEY_PROPERTY, ARCHIVE_REVISION_PROPERTY
from shared.domain.identity.caller import Caller
from shared.errors import NotFound
from shared.services.calendars.local_calendar_store import LocalCalendarStore
from tests.integration.archiving.world import DAY
from tests.integration.calendars.world import LocalWorld

HOUR = timedelta(hours=1)


def body(subject: str, transaction: str | None = None, **fields: Any) -> bytes:
    """What archiving sends for an event of an hour."""
    times = {
        name: {"dateTime": moment.replace(tzinfo=None).isoformat(), "timeZone": "UTC"}
        for name, moment in (("start", DAY), ("end", DAY + HOUR))
    }
    created = {"transactionId": transaction} if transaction else {}
    return orjson.dumps({"subject": subject, **times, **created, **fields})


def create(subject: str, transaction: str | None = "t1", **fields: Any) -> Write:
    return Write(uuid4(), "create", body(subject, transaction, **fields))


def update(copy_id: str | None, subject: str, if_match: str | None = None) -> Write:
    return Write(uuid4(), "update", body(subject), copy_id, if_match)


@pytest.fixture
async def opened(world: LocalWorld) -> Any:
    """The world with its owner acting."""
    await world.open_with("local", "local")
    with telemetry.bind(caller=world.owner, correlation="test"):
        yield world


async def test_twins_that_write_at_once_make_one_event_and_both_learn_which(opened: LocalWorld) -> None:
    mailbox, calendar = str(opened.person_id), opened.ids["Record"]
    writes = [create(f"Event {n}", f"t{n}") for n in range(20)]
    first, second = await asyncio.gather(
        opened.local.send(mailbox, calendar, writes, 5), opened.local.send(mailbox, calendar, writes, 5)
    )
    assert len(await opened.local_events("Record")) == 20
    for one, other in zip(first, second, strict=True):
        assert {one.verdict, other.verdict} == {Verdict.DONE, Verdict.DUPLICATE}
        assert (one.copy_id or one.existing_event_id) == (other.copy_id or other.existing_event_id)


async def test_each_write_of_a_batch_is_answered_alone_and_in_its_place(opened: LocalWorld) -> None:
    mailbox, calendar = str(opened.person_id), opened.ids["Record"]
    (made,) = await opened.local.send(mailbox, calendar, [create("First")], 5)
    assert (made.verdict, made.etag) == (Verdict.DONE, 'W/"1"')
    gone = f"local:{uuid4()}"
    writes = [
        update(made.copy_id, "Stale", 'W/"7"'),
        create("No transaction", None),
        update(gone, "Gone"),
        create("Second", "t2"),
        update("AAMkAG=", "Graph's"),
        create("Backwards", "t3", end={"dateTime": "2026-03-01T00:00:00", "timeZone": "UTC"}),
        create("First again"),
        create("Odd", "t4", showAs="sometimes"),
        Write(uuid4(), "create", b"[]"),
    ]
    answers = await opened.local.send(mailbox, calendar, writes, 5)
    assert [answer.operation_id for answer in answers] == [write.operation_id for write in writes]
    assert [answer.verdict for answer in answers] == [
        Verdict.STALE,
        Verdict.REFUSED,
        Verdict.GONE,
        Verdict.DONE,
        Verdict.GONE,
        Verdict.REFUSED,
        Verdict.DUPLICATE,
        Verdict.REFUSED,
        Verdict.REFUSED,
    ]
    assert answers[6].existing_event_id == made.copy_id
    (changed,) = await opened.local.send(mailbox, calendar, [update(made.copy_id, "Third", made.etag)], 5)
    assert (changed.verdict, changed.etag) == (Verdict.DONE, 'W/"2"')
    assert sorted(row.subject for row in await opened.local_events("Record")) == ["Second", "Third"]


async def test_a_calendar_that_is_gone_takes_nothing(opened: LocalWorld) -> None:
    mailbox = str(opened.person_id)
    for calendar in (f"local:{uuid4()}", "local:nonsense"):
        (answer,) = await opened.local.send(mailbox, calendar, [create("Lost")], 5)
        assert answer.verdict is Verdict.GONE
        with pytest.raises(NotFound):
            _ = [page async for page in opened.stores.read_window(mailbox, calendar, DAY, DAY + HOUR)]
    with pytest.raises(ValueError, match="1 to 20"):
        await opened.local.send(mailbox, opened.ids["Record"], [create("x")] * 21, 5)


async def test_nothing_of_one_mailbox_or_tenant_is_there_for_another(opened: LocalWorld) -> None:
    mailbox, calendar = str(opened.person_id), opened.ids["Record"]
    properties = [{"id": ARCHIVE_KEY_PROPERTY, "value": "k1"}]
    (made,) = await opened.local.send(
        mailbox, calendar, [create("Mine", singleValueExtendedProperties=properties)], 5
    )
    copy_id = made.copy_id or ""

    async def reached(store: LocalCalendarStore, mailbox: str) -> list[object]:
        writes = [create("Theirs", "t9"), update(copy_id, "Theirs")]
        answers = await store.send(mailbox, calendar, writes, 5)
        return [
            await store.list_calendars(mailbox),
            await store.get_calendar(mailbox, calendar),
            (await store.get_events(mailbox, None, [copy_id]))[copy_id],
            (await store.get_copies(mailbox, calendar, [copy_id]))[copy_id],
            await store.get_copy(mailbox, copy_id),
            await store.find_copies(mailbox, calendar, "k1"),
            *(None for answer in answers if answer.verdict is Verdict.GONE),
        ]

    nothing: list[object] = [[], None, None, None, None, [], None, None]
    assert await reached(opened.local, str(uuid4())) == nothing
    elsewhere = opened.plain_local.in_tenant(uuid4())
    assert await reached(elsewhere, mailbox) == nothing
    assert await elsewhere.get_mailbox(mailbox) is None
    assert [each.id for each in await opened.local.find_copies(mailbox, calendar, "k1")] == [copy_id]


async def test_a_copy_is_read_back_with_its_properties_by_whatever_way(opened: LocalWorld) -> None:
    mailbox, calendar, stores = str(opened.person_id), opened.ids["Record"], opened.stores
    properties = [
        {"id": ARCHIVE_KEY_PROPERTY, "value": "k1"},
        {"id": ARCHIVE_REVISION_PROPERTY, "value": "r1"},
    ]
    write = create("Copy", singleValueExtendedProperties=properties)
    copy_id = (await stores.send(mailbox, calendar, [write], 5))[0].copy_id or ""
    foreign = (await stores.send(mailbox, calendar, [create("Foreign", "t2")], 5))[0].copy_id or ""
    pages = [page async for page in stores.read_copies(mailbox, calendar, DAY, DAY + HOUR)]
    read = {copy.id: copy for page in pages for copy in page}
    assert (read[copy_id].archive_key, read[copy_id].revision) == ("k1", "r1")
    assert read[foreign].archive_key == ""
    by_id = await stores.get_copies(mailbox, calendar, [copy_id, "AAMkAG=", f"local:{uuid4()}"])
    assert [copy is not None for copy in by_id.values()] == [True, False, False]
    assert by_id[copy_id] == read[copy_id] == await stores.get_copy(mailbox, copy_id)
    assert (await stores.get_copies(mailbox, opened.ids["Diary"], [copy_id]))[copy_id] is None


async def test_ids_of_both_stores_may_be_asked_for_together(opened: LocalWorld) -> None:
    await opened.add(
        {
            "subject": "Graph's",
            "start": {"dateTime": "2026-03-02T08:00:00", "timeZone": "UTC"},
            "end": {"dateTime": "2026-03-02T09:00:00", "timeZone": "UTC"},
        }
    )
    ours = f"local:{await opened.write('Ours', DAY)}"
    graphs = (await opened.source("Graph's"))["id"]
    mailbox, gone = str(opened.person_id), f"local:{uuid4()}"
    found = await opened.stores.get_events(mailbox, None, [ours, graphs, gone])
    assert {key: event and event.subject for key, event in found.items()} == {
        ours: "Ours",
        graphs: "Graph's",
        gone: None,
    }
    within = await opened.stores.get_events(mailbox, opened.ids["Diary"], [ours, graphs])
    assert within[ours] is not None
    assert within[graphs] is None
    assert await opened.stores.count_attachments(mailbox, [ours, graphs]) == {ours: 0, graphs: 0}
    names = [each.name for each in await opened.stores.list_calendars(mailbox)]
    assert names == ["Calendar", "Archive", "Diary", "Record"]


async def test_the_requested_tenant_decides_and_not_the_actor(world: LocalWorld) -> None:
    await world.open_with("local", "local")
    mailbox = str(world.person_id)
    with telemetry.bind(caller=Caller.user(uuid4(), world.person_id), correlation="test"):
        own = await world.local.list_calendars(mailbox)
        others = await world.plain_local.in_tenant(uuid4()).list_calendars(mailbox)
    assert ([each.name for each in own], others) == (["Diary", "Record"], [])


async def test_a_calendar_of_either_store_is_empty_until_something_stands_in_it_at_any_time(
    world: LocalWorld,
) -> None:
    await world.open_with("msgraph", "local")
    mailbox, calendar = str(world.person_id), world.ids["Record"]
    with telemetry.bind(caller=world.owner, correlation="test"):
        made = await world.stores.create_calendar(mailbox, "Fresh")
        for each in (calendar, made.id):
            assert await world.stores.is_empty(mailbox, each)
            years_ago: dict[str, Any] = {
                name: {"dateTime": f"1999-01-01T0{hour}:00:00", "timeZone": "UTC"}
                for name, hour in (("start", 1), ("end", 2))
            }
            (answer,) = await world.stores.send(mailbox, each, [create("Old", **years_ago)], 5)
            assert answer.verdict is Verdict.DONE
            assert not await world.stores.is_empty(mailbox, each)
        with pytest.raises(NotFound):
            await world.stores.is_empty(mailbox, f"local:{uuid4()}")

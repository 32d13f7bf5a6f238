"""What the adapter reads, over real HTTP against the simulator."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from shared.domain.events.source_event import EventType, SourceEvent
from shared.errors import NotFound, StoreRefused
from shared.graph.calendar_adapter import CalendarAdapter
from shared.usage import track_usage
from tests.integration.graph.conftest import ADDRESS, Tenant
from tests.integration.graph.samples import event, in_june

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
JULY = datetime(2026, 7, 1, tzinfo=UTC)


async def read_all(adapter: CalendarAdapter, tenant: Tenant) -> list[SourceEvent]:
    pages = adapter.read_window(tenant.mailbox, tenant.source, JUNE, JULY)
    return [found async for page in pages for found in page]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_every_page_is_read_once_in_order_of_start(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.simulator.settings.page_size_max = 40
    tenant.load(*in_june(100))
    with track_usage() as usage:
        found = await read_all(adapter, tenant)
    assert sorted(each.subject for each in found) == sorted(f"Event {n}" for n in range(100))
    assert [each.start for each in found] == sorted(each.start for each in found)
    assert (usage.requests, usage.round_trips, usage.reads, usage.writes) == (3, 3, 3, 0)


async def test_a_thousand_events_are_one_round_trip(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.load(*in_june(1000))
    assert len(await read_all(adapter, tenant)) == 1000
    assert tenant.counts.round_trips == 1


async def test_ids_of_every_page_are_immutable(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.simulator.settings.page_size_max = 2
    tenant.load(*in_june(5))
    stored = {item.id(immutable=True) for item in tenant.stored(tenant.source)}
    assert {each.id for each in await read_all(adapter, tenant)} == stored


async def test_the_next_page_is_fetched_while_the_caller_works(
    adapter: CalendarAdapter, tenant: Tenant
) -> None:
    tenant.simulator.settings.page_size_max = 2
    tenant.load(*in_june(6))
    pages = adapter.read_window(tenant.mailbox, tenant.source, JUNE, JULY)
    await anext(pages)
    await until(lambda: tenant.counts.round_trips == 2)
    await pages.aclose()
    assert tenant.counts.round_trips == 2


async def test_leaving_early_leaves_no_request_behind(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.simulator.settings.page_size_max = 2
    tenant.load(*in_june(6))
    async for _ in (pages := adapter.read_window(tenant.mailbox, tenant.source, JUNE, JULY)):
        break
    await pages.aclose()
    left = [task for task in asyncio.all_tasks() if "CalendarAdapter" in repr(task.get_coro())]
    assert left == []


async def test_an_empty_window_has_no_events(adapter: CalendarAdapter, tenant: Tenant) -> None:
    assert await read_all(adapter, tenant) == []


async def test_what_an_event_carries(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.load(
        event(
            "Café ☕ 会議",
            "2026-06-03T09:00:00",
            "2026-06-03T10:00:00",
            "W. Europe Standard Time",
            body={"contentType": "html", "content": "<p>Agenda</p>"},
            location={"displayName": "Room 1"},
            categories=["Acme - billable", "Online"],
            showAs="tentative",
            importance="high",
            sensitivity="private",
            attendees=[
                {
                    "emailAddress": {"name": "Bo", "address": "bo@example.com"},
                    "type": "optional",
                    "status": {"response": "accepted", "time": "2026-05-01T00:00:00Z"},
                }
            ],
        )
    )
    (found,) = await read_all(adapter, tenant)
    assert found.type is EventType.SINGLE_INSTANCE
    assert found.subject == "Café ☕ 会議"
    assert "Agenda" in found.body
    assert found.body_type == "html"
    assert (found.start, found.end) == (
        datetime(2026, 6, 3, 7, tzinfo=UTC),
        datetime(2026, 6, 3, 8, tzinfo=UTC),
    )
    assert (found.start_zone, found.end_zone) == ("W. Europe Standard Time", "W. Europe Standard Time")
    assert found.location == "Room 1"
    assert found.categories == ("Acme - billable", "Online")
    assert (found.show_as, found.importance, found.sensitivity) == ("tentative", "high", "private")
    assert [(p.name, p.address, p.kind) for p in found.attendees] == [("Bo", "bo@example.com", "optional")]
    assert found.organizer is not None
    assert found.organizer.address == ADDRESS
    assert (found.series_master_id, found.original_start) == (None, None)


async def test_all_day_events_keep_their_date(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.load(
        event("Holiday", "2026-06-10T00:00:00", "2026-06-12T00:00:00", "Tokyo Standard Time", isAllDay=True)
    )
    (found,) = await read_all(adapter, tenant)
    assert found.is_all_day
    assert (found.start, found.end) == (datetime(2026, 6, 10, tzinfo=UTC), datetime(2026, 6, 12, tzinfo=UTC))
    assert found.start_zone == "Tokyo Standard Time"


async def test_occurrences_and_exceptions_know_their_series_and_slot(
    adapter: CalendarAdapter, tenant: Tenant
) -> None:
    tenant.load(
        event(
            "Weekly",
            "2026-06-01T10:00:00",
            "2026-06-01T11:00:00",
            "Europe/Amsterdam",
            recurrence={
                "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"]},
                "range": {"type": "numbered", "startDate": "2026-06-01", "numberOfOccurrences": 3},
            },
            exceptions=[
                {
                    "originalStart": "2026-06-08T08:00:00Z",
                    "start": {"dateTime": "2026-06-09T15:00:00", "timeZone": "UTC"},
                    "end": {"dateTime": "2026-06-09T16:00:00", "timeZone": "UTC"},
                }
            ],
        )
    )
    found = await read_all(adapter, tenant)
    assert [each.type for each in found] == [EventType.OCCURRENCE, EventType.EXCEPTION, EventType.OCCURRENCE]
    assert len({each.series_master_id for each in found}) == 1
    assert [each.original_start for each in found] == [
        datetime(2026, 6, day, 8, tzinfo=UTC) for day in (1, 8, 15)
    ]
    assert found[1].start == datetime(2026, 6, 9, 15, tzinfo=UTC)


async def test_events_by_id_come_twenty_at_a_time(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.load(*in_june(45))
    listed = await read_all(adapter, tenant)
    with track_usage() as usage:
        found = await adapter.get_events(tenant.mailbox, tenant.source, [each.id for each in listed])
    assert found == {each.id: each for each in listed}
    assert (usage.round_trips, usage.requests, usage.reads) == (3, 45, 45)


async def test_events_that_are_gone_are_none(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.load(*in_june(2))
    first, second = await read_all(adapter, tenant)
    found = tenant.simulator.state.find_mailbox(tenant.mailbox)
    assert found is not None
    tenant.simulator.service.store.delete(tenant.simulator.state.item(found, first.id))
    assert await adapter.get_events(tenant.mailbox, None, [first.id, second.id]) == {
        first.id: None,
        second.id: second,
    }


async def test_a_moved_event_is_found_in_the_mailbox_not_in_its_calendar(
    adapter: CalendarAdapter, tenant: Tenant
) -> None:
    tenant.load(*in_june(1))
    (found,) = await read_all(adapter, tenant)
    assert await adapter.get_events(tenant.mailbox, tenant.archive, [found.id]) == {found.id: None}
    assert (await adapter.get_events(tenant.mailbox, None, [found.id]))[found.id] is not None


async def test_no_ids_no_requests(adapter: CalendarAdapter, tenant: Tenant) -> None:
    assert await adapter.get_events(tenant.mailbox, None, []) == {}
    assert tenant.counts.round_trips == 0


async def test_attachments_are_counted_over_several_pages(adapter: CalendarAdapter, tenant: Tenant) -> None:
    for number in (0, 3, 12):
        tenant.load(event(f"{number}", "2026-06-01T10:00:00", "2026-06-01T11:00:00"))
    listed = await read_all(adapter, tenant)
    for item in tenant.stored(tenant.source):
        item.attachments = int(item.fields["subject"])
    counts = await adapter.count_attachments(tenant.mailbox, [each.id for each in listed])
    assert {each.subject: counts[each.id] for each in listed} == {"0": 0, "3": 3, "12": 12}


async def test_calendars_are_listed_found_and_made(adapter: CalendarAdapter, tenant: Tenant) -> None:
    made = await adapter.create_calendar(tenant.mailbox, "Timesheet")
    listed = await adapter.list_calendars(tenant.mailbox)
    assert [(each.name, each.is_default) for each in listed] == [
        ("Calendar", True),
        ("Archive", False),
        ("Timesheet", False),
    ]
    assert made == listed[2]
    assert await adapter.get_calendar(tenant.mailbox, made.id) == made
    assert (made.can_edit, made.owner_address) == (True, ADDRESS)


async def test_a_calendar_whose_answer_was_lost_is_made_once(
    adapter: CalendarAdapter, tenant: Tenant
) -> None:
    tenant.fault("lost_answer", {"method": "POST", "path_regex": "/calendars$"})
    made = await adapter.create_calendar(tenant.mailbox, "Timesheet")
    names = [each.name for each in await adapter.list_calendars(tenant.mailbox)]
    assert (made.name, names.count("Timesheet")) == ("Timesheet", 1)


async def test_a_calendar_that_is_not_there_is_none(adapter: CalendarAdapter, tenant: Tenant) -> None:
    gone = await adapter.create_calendar(tenant.mailbox, "Short-lived")
    found = tenant.simulator.state.find_mailbox(tenant.mailbox)
    assert found is not None
    tenant.simulator.state.remove_calendar(found.calendars[gone.id])
    assert await adapter.get_calendar(tenant.mailbox, gone.id) is None


async def test_a_mailbox_is_found_by_object_id_and_by_name(adapter: CalendarAdapter, tenant: Tenant) -> None:
    by_id = await adapter.get_mailbox(tenant.mailbox)
    assert by_id is not None
    assert (by_id.id, by_id.mail) == (tenant.mailbox, ADDRESS)
    assert await adapter.get_mailbox(ADDRESS) == by_id
    assert await adapter.get_mailbox("nobody@example.com") is None


@pytest.mark.parametrize(
    "call",
    [
        lambda adapter, tenant: adapter.get_events(tenant.mailbox, None, ["some-id"]),
        lambda adapter, tenant: adapter.get_calendar(tenant.mailbox, tenant.source),
        lambda adapter, tenant: adapter.get_copy(tenant.mailbox, "some-id"),
        lambda adapter, tenant: adapter.list_calendars(tenant.mailbox),
        read_all,
    ],
)
async def test_a_mailbox_without_licence_is_not_taken_for_something_vanished(
    adapter: CalendarAdapter, tenant: Tenant, call: Callable[[CalendarAdapter, Tenant], Awaitable[object]]
) -> None:
    tenant.fault("status", {"path_regex": "^/users/"}, status=404, code="MailboxNotEnabledForRESTAPI")
    with pytest.raises(NotFound) as caught:
        await call(adapter, tenant)
    assert caught.value.code == "mailbox_not_found"


async def test_a_mailbox_out_of_scope_is_refused_with_graphs_code(
    adapter: CalendarAdapter, tenant: Tenant
) -> None:
    tenant.simulator.settings.allowed_mailboxes = []
    with pytest.raises(StoreRefused) as caught:
        await adapter.list_calendars(tenant.mailbox)
    assert (caught.value.answered, caught.value.reason) == (403, "ErrorAccessDenied")
    assert tenant.counts.round_trips == 1


async def test_naive_windows_are_refused(adapter: CalendarAdapter, tenant: Tenant) -> None:
    with pytest.raises(ValueError, match="aware"):
        await anext(
            adapter.read_window(tenant.mailbox, tenant.source, datetime(2026, 6, 1), JULY)  # noqa: DTZ001
        )

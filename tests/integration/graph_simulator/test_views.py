"""Calendars, calendarView and the query options."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.models.o_data_errors.o_data_error import ODataError

from infra.local.graph_simulator import GraphSimulator
from tests.integration.graph_simulator.conftest import ADDRESS
from tests.integration.graph_simulator.sdk import CalendarViewRequestBuilder, Graph, timed
from tests.integration.graph_simulator.test_events import KEY, SPRING, refusal

MARCH = "startDateTime=2026-03-01T00:00:00Z&endDateTime=2026-04-01T00:00:00Z"
WEEKLY = {
    "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"]},
    "range": {"type": "numbered", "startDate": "2026-03-09", "numberOfOccurrences": 5},
}


def starts(events: list[dict[str, Any]]) -> list[str]:
    """Start times to the minute."""
    return [event["start"]["dateTime"][:16] for event in events]


async def make_series(graph: Graph, user: str) -> dict[str, Any]:
    """Five Mondays at 09:00 in Berlin, across the change to summer time on 29 March."""
    body = timed("2026-03-09T09:00:00", "2026-03-09T09:30:00", "Europe/Berlin", recurrence=WEEKLY)
    created: dict[str, Any] = await graph.request("POST", f"{user}/events", body)
    return created


async def test_calendars_are_listed_in_pages_created_once_and_deleted(graph: Graph, user: str) -> None:
    for number in range(3):
        await graph.request("POST", f"{user}/calendars", {"name": f"Extra {number}"})
    assert await refusal(graph, "POST", f"{user}/calendars", {"name": "extra 1"}) == (
        409,
        "ErrorFolderExists",
    )
    pages = await graph.pages(f"{user}/calendars?$top=2&$select=name,isDefaultCalendar")
    assert [[c["name"] for c in page] for page in pages] == [
        ["Calendar", "Archive"],
        ["Extra 0", "Extra 1"],
        ["Extra 2"],
    ]
    default, extra = pages[0][0], pages[2][0]
    assert await refusal(graph, "DELETE", f"{user}/calendars/{default['id']}") == (
        400,
        "ErrorDeleteDistinguishedFolder",
    )
    await graph.request("DELETE", f"{user}/calendars/{extra['id']}")
    assert await refusal(graph, "GET", f"{user}/calendars/{extra['id']}") == (404, "ErrorItemNotFound")
    assert (await graph.request("GET", f"{user}/calendar"))["name"] == "Calendar"


async def test_sdk_builder_reads_a_page_as_bytes(graph: Graph, user: str) -> None:
    await make_series(graph, user)
    calendar = await graph.request("GET", f"{user}/calendar")
    parameters = CalendarViewRequestBuilder.CalendarViewRequestBuilderGetQueryParameters(
        start_date_time="2026-03-01T00:00:00+00:00",
        end_date_time="2026-05-01T00:00:00+00:00",
        select=["subject", "start", "type"],
        orderby=["start/dateTime"],
        top=1000,
    )
    configuration = RequestConfiguration(query_parameters=parameters)
    builder = graph.client.users.by_user_id(ADDRESS).calendars.by_calendar_id(calendar["id"]).calendar_view
    page = await graph.send(builder.to_get_request_information(configuration))
    assert len(page["value"]) == 5
    assert set(page["value"][0]) == {"@odata.etag", "id", "subject", "start", "type"}


async def test_series_keeps_its_local_time_across_a_clock_change(graph: Graph, user: str) -> None:
    created = await make_series(graph, user)
    events = await graph.all(f"{user}/calendarView?{MARCH}&$orderby=start/dateTime")
    assert starts(events) == ["2026-03-09T08:00", "2026-03-16T08:00", "2026-03-23T08:00", "2026-03-30T07:00"]
    assert {event["type"] for event in events} == {"occurrence"}
    assert {event["seriesMasterId"] for event in events} == {created["id"]}
    assert events[3]["originalStart"] == "2026-03-30T07:00:00Z"
    again = await graph.all(f"{user}/calendarView?{MARCH}&$orderby=start/dateTime")
    assert [event["id"] for event in again] == [event["id"] for event in events]


async def test_occurrence_in_the_gap_of_the_clock_keeps_its_length(graph: Graph, user: str) -> None:
    daily = {
        "pattern": {"type": "daily", "interval": 1},
        "range": {"type": "numbered", "startDate": "2026-03-28", "numberOfOccurrences": 3},
    }
    body = timed("2026-03-28T02:30:00", "2026-03-28T03:00:00", "Europe/Berlin", recurrence=daily)
    await graph.request("POST", f"{user}/events", body)
    events = await graph.all(f"{user}/calendarView?{MARCH}")
    assert starts(events) == ["2026-03-28T01:30", "2026-03-29T01:30", "2026-03-30T00:30"]
    assert [event["end"]["dateTime"][11:16] for event in events] == ["02:00", "02:00", "01:00"]


async def test_occurrence_can_be_moved_and_cancelled_alone(graph: Graph, user: str) -> None:
    created = await make_series(graph, user)
    events = await graph.all(f"{user}/calendarView?{MARCH}&$orderby=start/dateTime")
    moved = {
        "start": {"dateTime": "2026-03-17T10:00:00", "timeZone": "UTC"},
        "end": {"dateTime": "2026-03-17T11:00:00", "timeZone": "UTC"},
    }
    changed = await graph.request("PATCH", f"{user}/events/{events[1]['id']}", moved)
    assert (changed["type"], changed["originalStart"]) == ("exception", "2026-03-16T08:00:00Z")
    await graph.request("DELETE", f"{user}/events/{events[2]['id']}")
    path = f"{user}/events/{created['id']}/instances?{MARCH}"
    assert starts(await graph.all(path)) == ["2026-03-09T08:00", "2026-03-17T10:00", "2026-03-30T07:00"]
    assert (await graph.request("GET", f"{user}/events/{events[1]['id']}"))["id"] == changed["id"]
    assert await refusal(graph, "GET", f"{user}/events/{events[2]['id']}") == (404, "ErrorItemNotFound")
    too_far = {
        "start": {"dateTime": "2026-04-07T10:00:00", "timeZone": "UTC"},
        "end": {"dateTime": "2026-04-07T11:00:00", "timeZone": "UTC"},
    }
    assert await refusal(graph, "PATCH", f"{user}/events/{events[1]['id']}", too_far) == (
        400,
        "ErrorOccurrenceCrossingBoundary",
    )


async def test_ical_uid_is_one_for_the_series_or_one_each(
    graph: Graph, user: str, simulator: GraphSimulator
) -> None:
    await make_series(graph, user)
    path = f"{user}/calendarView?{MARCH}&$select=iCalUId"
    assert len({event["iCalUId"] for event in await graph.all(path)}) == 1
    simulator.settings.update({"ical_uid_per_occurrence": True})
    assert len({event["iCalUId"] for event in await graph.all(path)}) == 4


async def test_view_gives_what_merely_touches_the_window_and_nothing_beside_it(
    graph: Graph, user: str
) -> None:
    for start, end in (("28T22:00", "01T01:00"), ("28T23:00", "01T00:00")):
        body = timed(f"2026-02-{start}:00", f"2026-03-{end}:00", subject=end)
        await graph.request("POST", f"{user}/events", body)
    events = await graph.all(f"{user}/calendarView?{MARCH}")
    assert [event["subject"] for event in events] == ["01T01:00"]


async def test_window_honours_offsets_and_takes_none_as_utc(graph: Graph, user: str) -> None:
    await graph.request("POST", f"{user}/events", timed("2026-03-02T09:00:00", "2026-03-02T10:00:00"))
    inside = "startDateTime=2026-03-02T09:30:00&endDateTime=2026-03-02T09:40:00"
    offset = "startDateTime=2026-03-02T09:30:00%2B02:00&endDateTime=2026-03-02T09:40:00%2B02:00"
    assert len(await graph.all(f"{user}/calendarView?{inside}")) == 1
    assert await graph.all(f"{user}/calendarView?{offset}") == []


@pytest.mark.parametrize(("matching", "found"), [("utc", 0), ("mailbox", 1)])
async def test_all_day_matches_in_utc_or_in_the_mailbox_zone(
    graph: Graph, user: str, simulator: GraphSimulator, matching: str, found: int
) -> None:
    simulator.settings.update({"all_day_matching": matching})
    body = timed("2026-03-02T00:00:00", "2026-03-03T00:00:00", "Europe/Berlin", isAllDay=True)
    await graph.request("POST", f"{user}/events", body)
    evening_before = "startDateTime=2026-03-01T23:00:00Z&endDateTime=2026-03-01T23:30:00Z"
    assert len(await graph.all(f"{user}/calendarView?{evening_before}")) == found


@pytest.mark.parametrize(
    "query",
    [
        "startDateTime=2026-03-01T00:00:00Z",
        "startDateTime=yesterday&endDateTime=2026-03-01T00:00:00Z",
        "startDateTime=2026-03-02T00:00:00Z&endDateTime=2026-03-01T00:00:00Z",
        "startDateTime=2020-01-01T00:00:00Z&endDateTime=2026-03-01T00:00:00Z",
        f"{MARCH}&$top=1001",
        f"{MARCH}&$top=0",
        f"{MARCH}&$select=subject,colour",
        f"{MARCH}&$orderby=showAs",
        f"{MARCH}&$search=x",
        f"{MARCH}&$skiptoken=nonsense",
        f"{MARCH}&$filter=subject eq",
        f"{MARCH}&$filter=transactionId eq 'x'",
    ],
)
async def test_refused_queries(graph: Graph, user: str, query: str) -> None:
    assert (await refusal(graph, "GET", f"{user}/calendarView?{query}"))[0] == 400


async def test_pages_cover_everything_once_and_in_order(
    graph: Graph, user: str, admin: httpx.AsyncClient
) -> None:
    first = datetime(2026, 3, 1, tzinfo=UTC)
    events = [
        timed(
            (first + timedelta(hours=n)).strftime("%Y-%m-%dT%H:00:00"), "2026-03-20T00:00:00", subject=f"{n}"
        )
        for n in range(25)
    ]
    calendars = [{"name": "Calendar", "events": events}]
    await admin.post("/_simulator/mailboxes", json={"address": ADDRESS, "calendars": calendars})
    path = f"{user}/calendarView?{MARCH}&$orderby=start/dateTime desc&$select=subject"
    assert [len(page) for page in await graph.pages(path)] == [10, 10, 5]
    pages = await graph.pages(f"{path}&$top=12", prefer='outlook.timezone="UTC", IdType="ImmutableId"')
    assert [len(page) for page in pages] == [12, 12, 1]
    assert [int(event["subject"]) for page in pages for event in page] == list(range(24, -1, -1))
    assert all(event["id"].startswith("AAkA") for page in pages for event in page)


async def test_events_are_found_by_extended_property_in_any_case(graph: Graph, archive: str) -> None:
    other = KEY.replace("ArchiveKey", "ArchiveSource")
    for value in ("aa", "bb"):
        properties = [{"id": KEY, "value": value}, {"id": other, "value": value * 2}]
        await graph.request(
            "POST", f"{archive}/events", timed(*SPRING, singleValueExtendedProperties=properties)
        )
    wanted = f"$filter=singleValueExtendedProperties/Any(ep: ep/id eq '{KEY}' and ep/value eq 'BB')"
    both = f"$expand=singleValueExtendedProperties($filter=id eq '{KEY}' or id eq '{other}')"
    found = await graph.all(f"{archive}/events?{wanted}&{both}")
    assert [{p["id"]: p["value"] for p in event["singleValueExtendedProperties"]} for event in found] == [
        {KEY: "bb", other: "bbbb"}
    ]
    assert await graph.all(f"{archive}/events?{wanted.replace('ArchiveKey', 'archivekey')}") == []


async def test_filters_of_times_text_and_flags(graph: Graph, user: str) -> None:
    await graph.request("POST", f"{user}/events", timed(*SPRING, subject="Board's review", categories=["A"]))
    await graph.request("POST", f"{user}/events", timed("2026-04-02T09:00:00", "2026-04-02T10:00:00"))
    for text in (
        "start/dateTime lt '2026-04-01T00:00'",
        "start/dateTime ge '2026-03-02T09:00:00' and end/dateTime le '2026-03-02T10:00:00.0000000'",
        "startswith(subject,'board''s')",
        "not (subject eq 'Meeting') and isAllDay eq false",
        "categories/any(c:c eq 'A')",
        "type eq 'singleInstance' and (subject eq 'x' or contains(subject,'review'))",
    ):
        found = await graph.all(f"{user}/events?$filter={text}")
        assert [event["subject"] for event in found] == ["Board's review"], text


async def test_unlicensed_and_forbidden_mailboxes(
    graph: Graph, user: str, simulator: GraphSimulator, admin: httpx.AsyncClient
) -> None:
    await admin.post("/_simulator/mailboxes", json=[{"address": "gone@contoso.example", "enabled": False}])
    assert await refusal(graph, "GET", "/users/gone@contoso.example/events") == (
        404,
        "MailboxNotEnabledForRESTAPI",
    )
    simulator.settings.update({"allowed_mailboxes": ["bob@contoso.example"]})
    with pytest.raises(ODataError) as caught:
        await graph.request("GET", f"{user}/events")
    assert caught.value.response_status_code == 403
    assert caught.value.error is not None
    assert caught.value.error.code == "ErrorAccessDenied"

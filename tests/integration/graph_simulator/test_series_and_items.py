"""Items change what they are: single events and series, calendars, invitations, deletions."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from infra.local.graph_simulator import GraphSimulator
from tests.integration.graph_simulator.sdk import Graph
from tests.integration.graph_simulator.standups import (
    BERLIN,
    FRIDAY,
    NINE,
    TUESDAY,
    WEDNESDAY,
    at,
    standup,
    starts,
    view,
)
from tests.integration.graph_simulator.test_events import refusal
from tests.support.series_edits import SeriesEdits, daily
from tests.support.simulator_requests import EditRefusedError, in_process, over_http


async def test_single_event_becomes_a_series_and_back_under_one_id(
    edits: SeriesEdits, graph: Graph, user: str
) -> None:
    single = await edits.create("Call", NINE, zone=BERLIN)
    series = await edits.turn_single_into_series(single, daily(3))
    assert (series["id"], series["type"], series["iCalUId"]) == (
        single["id"],
        "seriesMaster",
        single["iCalUId"],
    )
    shown = await view(graph, user)
    assert [item["seriesMasterId"] for item in shown] == [single["id"]] * 3
    assert single["id"] not in {item["id"] for item in shown}
    again = await edits.turn_series_into_single(series)
    assert (again["id"], again["type"], again["recurrence"]) == (single["id"], "singleInstance", None)
    assert [item["id"] for item in await view(graph, user)] == [single["id"]]


async def test_event_entered_again_is_another_item(edits: SeriesEdits) -> None:
    single = await edits.create("Call", NINE, zone=BERLIN, categories=["Acme - billable"])
    again = await edits.re_enter(single)
    assert again["id"] != single["id"]
    assert again["iCalUId"] != single["iCalUId"]
    assert (again["start"], again["categories"]) == (single["start"], single["categories"])
    series = await edits.re_enter(await standup(edits), subject="Daily")
    assert [item["subject"] for item in await edits.occurrences(series)] == ["Daily"] * 5


async def test_immutable_ids_survive_a_move_to_another_calendar_and_back(
    edits: SeriesEdits, graph: Graph, user: str
) -> None:
    series = await standup(edits)
    await edits.edit_occurrence(series, TUESDAY, subject="Second")
    before = [item["id"] for item in await edits.occurrences(series)]
    moved = await edits.move_to_calendar(series, "Archive")
    calendar = await graph.request("GET", f"{user}/events/{moved['id']}/calendar")
    assert (moved["id"], calendar["name"]) == (series["id"], "Archive")
    assert await view(graph, user) == []
    await edits.move_to_calendar(series, "Calendar")
    shown = await view(graph, user)
    assert [item["id"] for item in shown] == before
    assert shown[1]["subject"] == "Second"


async def test_occurrence_alone_is_not_moved_to_another_calendar(edits: SeriesEdits) -> None:
    one = await edits.occurrence(await standup(edits), TUESDAY)
    with pytest.raises(EditRefusedError) as refused:
        await edits.move_to_calendar(one, "Archive")
    assert refused.value.status == 400


async def test_deleted_event_may_still_be_found_in_no_calendar(
    edits: SeriesEdits, graph: Graph, user: str
) -> None:
    await edits.switch(deleted_items="found")
    single = await edits.create("Call", NINE, zone=BERLIN)
    series = await standup(edits)
    one = await edits.occurrence(series, TUESDAY)
    await edits.delete(single)
    await edits.delete(series)
    assert await view(graph, user) == []
    assert await graph.all(f"{user}/events") == []
    for event in (single, series, one):
        assert (await edits.get(event))["type"] == event["type"]
        path = f"{user}/events/{event['id']}/calendar"
        assert await refusal(graph, "GET", path) == (404, "ErrorItemNotFound")
        path = f"{user}/calendar/events/{event['id']}"
        assert await refusal(graph, "GET", path) == (404, "ErrorItemNotFound")
    assert (await edits.restore_deleted(series))["id"] == series["id"]
    assert len(await view(graph, user)) == 5
    await edits.delete(single)
    assert await refusal(graph, "GET", f"{user}/events/{single['id']}") == (404, "ErrorItemNotFound")


async def test_invitation_made_again_has_other_ids_and_no_category(edits: SeriesEdits) -> None:
    series = await standup(edits, categories=["Acme - billable"])
    await edits.edit_occurrence(series, TUESDAY, subject="Second", categories=["Beta - billable"])
    new = await edits.new_invitation(series, organizer="boss@contoso.example")
    assert new["id"] != series["id"]
    assert new["iCalUId"] != series["iCalUId"]
    assert (new["isOrganizer"], new["responseStatus"]["response"]) == (False, "notResponded")
    shown = await edits.occurrences(new)
    assert [item["subject"] for item in shown] == ["Standup", "Second", "Standup", "Standup", "Standup"]
    assert all(item["categories"] == [] for item in shown)
    with pytest.raises(EditRefusedError):
        await edits.get(series)


async def test_organizer_is_replaced_in_the_same_item_or_by_another(edits: SeriesEdits) -> None:
    series = await standup(edits)
    same = await edits.replace_organizer(series, "boss@contoso.example")
    assert (same["id"], same["iCalUId"]) == (series["id"], series["iCalUId"])
    assert same["organizer"]["emailAddress"]["address"] == "boss@contoso.example"
    other = await edits.replace_organizer(series, "chief@contoso.example", same_item=False)
    assert other["id"] != series["id"]
    with pytest.raises(EditRefusedError) as refused:
        await edits.replace_organizer(other, "nobody")
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "change",
    [
        {"recurrence": {"pattern": {"type": "daily", "interval": 1}}},
        {"recurrence": {"range": {"type": "noEnd", "startDate": "2026-03-02"}}},
        {
            "recurrence": {
                "pattern": {"type": "daily", "interval": 1},
                "range": {"type": "noEnd", "startDate": "2026-03-05"},
            }
        },
        {
            "start": {"dateTime": "2026-03-20T09:00:00", "timeZone": BERLIN},
            "end": {"dateTime": "2026-03-20T09:30:00", "timeZone": BERLIN},
        },
    ],
)
async def test_refused_changes_leave_the_series_as_it_was(edits: SeriesEdits, change: dict[str, Any]) -> None:
    series = await standup(edits)
    await edits.change_range(series, until=FRIDAY)
    exception = await edits.edit_occurrence(series, TUESDAY, subject="Second")
    with pytest.raises(EditRefusedError) as refused:
        await edits.edit(series, **change)
    assert (refused.value.status, refused.value.code) == (400, "ErrorPropertyValidationFailure")
    assert (await edits.get(exception))["changeKey"] == exception["changeKey"]
    assert len(await edits.occurrences(series)) == 5


async def test_instances_are_given_of_a_master_alone(edits: SeriesEdits, graph: Graph, user: str) -> None:
    one = await edits.occurrence(await standup(edits), TUESDAY)
    window = "startDateTime=2026-03-01T00:00:00Z&endDateTime=2026-04-01T00:00:00Z"
    assert (await refusal(graph, "GET", f"{user}/events/{one['id']}/instances?{window}"))[0] == 400


async def test_all_day_series_moves_by_days(edits: SeriesEdits) -> None:
    series = await edits.create("Fair", at(2, 0), 24 * 60, zone=BERLIN, recurrence=daily(2), isAllDay=True)
    await edits.move_series(series, days=7)
    after = await edits.occurrences(series)
    assert [item["start"]["dateTime"][:10] for item in after] == ["2026-03-09", "2026-03-10"]
    assert after[0]["originalStart"] == "2026-03-08T23:00:00Z"


async def test_edits_work_without_http_as_simulated_worlds_make_them(
    simulator: GraphSimulator, edits: SeriesEdits
) -> None:
    inside = SeriesEdits(in_process(simulator.service), "ada@contoso.example")
    series = await inside.split_series(await standup(inside), WEDNESDAY, rename="Daily")
    await inside.move_to_calendar(series, "Archive")
    assert await starts(edits, series) == ["03-04T09:00", "03-05T09:00", "03-06T09:00"]
    with pytest.raises(EditRefusedError) as refused:
        await inside.drag_occurrence(series, WEDNESDAY, at(5, 9))
    assert refused.value.code == "ErrorOccurrenceCrossingBoundary"


@pytest.mark.parametrize(("switch", "given"), [("not_of_all_day", {"Standup"}), ("absent", set())])
async def test_original_start_may_be_missing(
    edits: SeriesEdits, graph: Graph, user: str, switch: str, given: set[str]
) -> None:
    await standup(edits)
    await edits.create("Fair", at(2, 0), 24 * 60, zone=BERLIN, recurrence=daily(2), isAllDay=True)
    await edits.switch(original_starts=switch)
    window = "startDateTime=2026-03-01T00:00:00Z&endDateTime=2026-04-01T00:00:00Z"
    shown = await graph.all(f"{user}/calendarView?{window}&$top=100&$select=subject,originalStart")
    assert {item["subject"] for item in shown if "originalStart" in item} == given


async def test_changed_series_and_deleted_items_survive_a_restart(tmp_path: Any) -> None:
    def edits_of(running: GraphSimulator, client: httpx.AsyncClient) -> SeriesEdits:
        return SeriesEdits(over_http(client, running.identity.graph_token()), "ada@contoso.example")

    first = GraphSimulator(state_file=tmp_path / "state.db")
    await first.start()
    async with httpx.AsyncClient(base_url=first.base_url) as client:
        await client.post("/_simulator/mailboxes", json=[{"address": "ada@contoso.example"}])
        edits = edits_of(first, client)
        await edits.switch(deleted_items="found", occurrence_ids="renewed")
        series = await standup(edits)
        await edits.move_series(series, hours=1)
        before = [item["id"] for item in await edits.occurrences(series)]
        single = await edits.create("Call", NINE + timedelta(hours=4), zone=BERLIN)
        await edits.delete(single)
    await first.stop()
    second = GraphSimulator(state_file=tmp_path / "state.db")
    await second.start()
    try:
        async with httpx.AsyncClient(base_url=second.base_url) as client:
            edits = edits_of(second, client)
            assert [item["id"] for item in await edits.occurrences(series)] == before
            assert (await edits.get(single))["subject"] == "Call"
            assert (await edits.find("Standup"))["id"] == series["id"]
            with pytest.raises(LookupError):
                await edits.find("Call")
    finally:
        await second.stop()

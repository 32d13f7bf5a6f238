"""Series change as they do in Outlook: moved, re-patterned, ended, split, turned into single events."""

from datetime import date, datetime, time, timedelta
from typing import Any

import httpx
import pytest

from infra.local.graph_simulator import GraphSimulator
from tests.integration.graph_simulator.sdk import Graph
from tests.integration.graph_simulator.test_events import refusal
from tests.support.series_edits import EditRefusedError, SeriesEdits, daily, weekly
from tests.support.simulator_requests import in_process, over_http

BERLIN = "W. Europe Standard Time"
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (date(2026, 3, day) for day in range(2, 7))


def at(day: int, hour: int) -> datetime:
    """An hour of a day in March, as a wall clock shows it."""
    return datetime.combine(date(2026, 3, day), time(hour))


NINE = at(2, 9)


async def standup(edits: SeriesEdits, **fields: Any) -> dict[str, Any]:
    """Monday to Friday at nine."""
    return await edits.create("Standup", NINE, 30, zone=BERLIN, recurrence=daily(5), **fields)


async def starts(edits: SeriesEdits, series: Any) -> list[str]:
    """Starts of a series in its zone, to the minute."""
    return [item["start"]["dateTime"][5:16] for item in await edits.occurrences(series)]


async def view(graph: Graph, user: str, days: int = 30) -> list[dict[str, Any]]:
    """The calendarView of the following days."""
    window = "startDateTime=2026-03-01T00:00:00Z&endDateTime=2026-04-01T00:00:00Z"
    return await graph.all(f"{user}/calendarView?{window}&$top=100&$orderby=start/dateTime")


async def test_series_moved_by_an_hour_keeps_ids_and_moves_original_starts(edits: SeriesEdits) -> None:
    series = await standup(edits)
    before = await edits.occurrences(series)
    moved = await edits.move_series(series, hours=1)
    after = await edits.occurrences(series)
    assert moved["id"] == series["id"]
    assert moved["iCalUId"] == series["iCalUId"]
    assert [item["id"] for item in after] == [item["id"] for item in before]
    assert [item["occurrenceId"] for item in after] == [item["occurrenceId"] for item in before]
    assert after[0]["start"]["dateTime"][:16] == "2026-03-02T10:00"
    assert (before[0]["originalStart"], after[0]["originalStart"]) == (
        "2026-03-02T08:00:00Z",
        "2026-03-02T09:00:00Z",
    )
    assert not {item["changeKey"] for item in before} & {item["changeKey"] for item in after}


async def test_series_moved_by_a_day_has_occurrences_of_other_dates(edits: SeriesEdits) -> None:
    series = await standup(edits)
    before = await edits.occurrences(series)
    await edits.move_series(series, days=1)
    after = await edits.occurrences(series)
    assert len(after) == 5
    assert after[0]["occurrenceId"].endswith(".2026-03-03")
    assert after[0]["id"] == before[1]["id"]
    with pytest.raises(EditRefusedError) as gone:
        await edits.get(before[0])
    assert (gone.value.status, gone.value.code) == (404, "ErrorItemNotFound")


async def test_weekly_series_moved_by_a_day_changes_its_weekday(edits: SeriesEdits) -> None:
    series = await edits.create("Review", NINE, zone=BERLIN, recurrence=weekly("monday", count=3))
    moved = await edits.move_series(series, days=1)
    assert moved["recurrence"]["pattern"]["daysOfWeek"] == ["tuesday"]
    assert await starts(edits, series) == ["03-03T09:00", "03-10T09:00", "03-17T09:00"]


async def test_occurrences_get_new_ids_when_graph_makes_them_so(edits: SeriesEdits) -> None:
    await edits.switch(occurrence_ids="renewed")
    series = await standup(edits)
    before = await edits.occurrences(series)
    await edits.move_series(series, hours=1)
    after = await edits.occurrences(series)
    assert not {item["id"] for item in before} & {item["id"] for item in after}
    with pytest.raises(EditRefusedError) as gone:
        await edits.get(before[0])
    assert gone.value.status == 404
    assert (await edits.get(after[0]))["seriesMasterId"] == series["id"]


@pytest.mark.parametrize(
    ("switch", "kinds"), [("reset", {"occurrence"}), ("kept", {"occurrence", "exception"})]
)
async def test_exceptions_of_a_moved_series(edits: SeriesEdits, switch: str, kinds: set[str]) -> None:
    await edits.switch(exceptions_on_time_change=switch)
    series = await standup(edits)
    await edits.drag_occurrence(series, TUESDAY, at(3, 15))
    await edits.delete_occurrence(series, THURSDAY)
    await edits.move_series(series, hours=1)
    after = await edits.occurrences(series)
    assert {item["type"] for item in after} == kinds
    assert len(after) == (5 if switch == "reset" else 4)
    if switch == "kept":
        assert [item["start"]["dateTime"][11:16] for item in after] == ["10:00", "15:00", "10:00", "10:00"]
        assert after[1]["originalStart"] == "2026-03-03T09:00:00Z"


async def test_kept_exception_may_share_a_day_with_an_occurrence_after_a_move(edits: SeriesEdits) -> None:
    await edits.switch(exceptions_on_time_change="kept")
    series = await edits.create("Review", NINE, zone=BERLIN, recurrence=daily(3, every=2))
    await edits.drag_occurrence(series, WEDNESDAY, at(5, 15))
    await edits.move_series(series, days=-1)
    assert await starts(edits, series) == ["03-01T09:00", "03-05T09:00", "03-05T15:00"]


async def test_changed_pattern_resets_exceptions_and_deletions_past_ones_too(edits: SeriesEdits) -> None:
    series = await standup(edits)
    await edits.edit_occurrence(series, MONDAY, subject="First standup")
    await edits.delete_occurrence(series, TUESDAY)
    changed = await edits.reset_exceptions(series)
    after = await edits.occurrences(series)
    assert changed["recurrence"] == series["recurrence"]
    assert [(item["type"], item["subject"]) for item in after] == [("occurrence", "Standup")] * 5


async def test_changed_range_keeps_the_exceptions_inside(edits: SeriesEdits) -> None:
    series = await standup(edits)
    await edits.edit_occurrence(series, TUESDAY, subject="Second")
    await edits.edit_occurrence(series, FRIDAY, subject="Last")
    await edits.delete_occurrence(series, WEDNESDAY)
    await edits.change_range(series, until=THURSDAY)
    assert [item["subject"] for item in await edits.occurrences(series)] == ["Standup", "Second", "Standup"]
    await edits.change_range(series, count=6)
    subjects = [item["subject"] for item in await edits.occurrences(series)]
    assert subjects == ["Standup", "Second", "Standup", "Standup", "Standup"]


async def test_changed_range_resets_exceptions_as_older_outlook_did(edits: SeriesEdits) -> None:
    await edits.switch(exceptions_on_range_change="reset")
    series = await standup(edits)
    await edits.edit_occurrence(series, TUESDAY, subject="Second")
    await edits.change_range(series, until=THURSDAY)
    assert {item["type"] for item in await edits.occurrences(series)} == {"occurrence"}


async def test_texts_of_a_series_reach_exceptions_that_did_not_change_them(edits: SeriesEdits) -> None:
    series = await standup(edits)
    await edits.edit_occurrence(series, TUESDAY, subject="Second")
    await edits.edit(series, subject="Daily", categories=["Acme - billable"], showAs="free")
    first, second, *_ = await edits.occurrences(series)
    assert (first["subject"], first["showAs"]) == ("Daily", "free")
    assert (second["subject"], second["categories"], second["type"]) == (
        "Second",
        ["Acme - billable"],
        "exception",
    )


async def test_exception_may_keep_all_it_had_when_it_was_made(edits: SeriesEdits) -> None:
    await edits.switch(exception_texts="snapshot")
    series = await standup(edits)
    await edits.edit_occurrence(series, TUESDAY, subject="Second")
    await edits.edit(series, categories=["Acme - billable"])
    _, second, *_ = await edits.occurrences(series)
    assert second["categories"] == []


@pytest.mark.parametrize(("switch", "same"), [("shared", True), ("own", False)])
async def test_change_key_of_an_exception_when_its_series_changes(
    edits: SeriesEdits, switch: str, same: bool
) -> None:
    await edits.switch(series_change_keys=switch)
    series = await standup(edits)
    exception = await edits.edit_occurrence(series, TUESDAY, subject="Second")
    await edits.edit(series, importance="high")
    first, second, *_ = await edits.occurrences(series)
    assert (first["changeKey"] == second["changeKey"]) is same
    assert (second["changeKey"] == exception["changeKey"]) is not same


async def test_this_and_following_ends_the_old_series_and_begins_another(
    edits: SeriesEdits, graph: Graph, user: str
) -> None:
    series = await standup(edits, categories=["Acme - billable"])
    await edits.edit_occurrence(series, MONDAY, subject="First")
    new = await edits.split_series(series, WEDNESDAY, rename="Daily", hours=1)
    assert new["id"] != series["id"]
    assert new["iCalUId"] != series["iCalUId"]
    assert new["categories"] == ["Acme - billable"]
    shown = [(item["subject"], item["start"]["dateTime"][8:16]) for item in await view(graph, user)]
    assert shown == [
        ("First", "02T08:00"),
        ("Standup", "03T08:00"),
        ("Daily", "04T09:00"),
        ("Daily", "05T09:00"),
        ("Daily", "06T09:00"),
    ]
    assert (await edits.get(series))["recurrence"]["range"]["endDate"] == "2026-03-03"


async def test_deleted_occurrence_leaves_no_trace_but_the_masters_list(
    edits: SeriesEdits, graph: Graph, user: str
) -> None:
    series = await standup(edits)
    there = await edits.occurrence(series, TUESDAY)
    await edits.delete_occurrence(series, TUESDAY)
    await edits.edit_occurrence(series, MONDAY, subject="First")
    assert len(await view(graph, user)) == 4
    master = await graph.request(
        "GET",
        f"{user}/events/{series['id']}?$select=subject,cancelledOccurrences,exceptionOccurrences"
        "&$expand=exceptionOccurrences",
    )
    assert master["cancelledOccurrences"] == [there["occurrenceId"]]
    assert there["occurrenceId"] == f"OID.{series['id']}.2026-03-03"
    assert [item["subject"] for item in master["exceptionOccurrences"]] == ["First"]
    assert await refusal(graph, "GET", f"{user}/events/{there['id']}") == (404, "ErrorItemNotFound")


@pytest.mark.parametrize(
    ("switch", "answer"), [("absent", None), ("refused", (400, "RequestBroker--ParseUri"))]
)
async def test_occurrence_id_may_be_withheld(
    edits: SeriesEdits, graph: Graph, user: str, switch: str, answer: Any
) -> None:
    await edits.switch(occurrence_id_property=switch)
    one = await edits.occurrence(await standup(edits), TUESDAY)
    assert "occurrenceId" not in one
    path = f"{user}/events/{one['id']}?$select=occurrenceId"
    if answer is None:
        assert (await graph.request("GET", path))["occurrenceId"] is None
    else:
        assert await refusal(graph, "GET", path) == answer


async def test_occurrence_is_not_dragged_onto_or_over_its_neighbours(edits: SeriesEdits) -> None:
    series = await edits.create("Review", NINE, zone=BERLIN, recurrence=weekly("monday", count=3))
    for to in (at(9, 15), at(11, 9)):
        with pytest.raises(EditRefusedError) as refused:
            await edits.drag_occurrence(series, MONDAY, to)
        assert (refused.value.status, refused.value.code) == (400, "ErrorOccurrenceCrossingBoundary")
    moved = await edits.drag_occurrence(series, MONDAY, at(6, 15))
    assert moved["type"] == "exception"
    # The neighbour's own limit is the day to which this one was moved.
    with pytest.raises(EditRefusedError):
        await edits.drag_occurrence(series, date(2026, 3, 9), at(6, 9))
    await edits.switch(occurrence_boundary="overlap")
    await edits.drag_occurrence(series, date(2026, 3, 9), at(6, 16))
    await edits.switch(occurrence_boundary="off")
    await edits.drag_occurrence(series, date(2026, 3, 9), at(5, 9))
    assert await starts(edits, series) == ["03-05T09:00", "03-06T15:00", "03-16T09:00"]


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


async def test_invitation_made_anew_has_other_ids_and_no_category(edits: SeriesEdits) -> None:
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

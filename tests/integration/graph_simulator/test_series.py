"""Series change as they do in Outlook: moved, re-patterned, ended, split, turned into single events."""

from datetime import date
from typing import Any

import pytest

from tests.integration.graph_simulator.sdk import Graph
from tests.integration.graph_simulator.standups import (
    BERLIN,
    FRIDAY,
    MONDAY,
    NINE,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    at,
    standup,
    starts,
    view,
)
from tests.integration.graph_simulator.test_events import refusal
from tests.support.series_edits import SeriesEdits, daily, weekly
from tests.support.simulator_requests import EditRefusedError


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

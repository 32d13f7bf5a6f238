"""What a plan makes of modifications, purposes and privacy (domain.md 2.7, 4, 6)."""

import json
from copy import replace
from datetime import timedelta

from shared.domain.events.revision import revision
from shared.domain.planning.archive_plan import Planner
from shared.domain.planning.candidate import KnownEvent
from shared.domain.planning.decision import (
    Action,
    Consume,
    Create,
    applied_modifications,
)
from shared.domain.planning.event_facts import as_shown
from shared.domain.planning.modifications import Modification, ModificationKind, ModifiedTimes
from shared.domain.planning.policies import PlanPolicies
from shared.domain.planning.purpose import LeftOut
from shared.domain.planning.read_event import ReadEvent
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.runs.window import Window
from tests.unit.domain.map_model import (
    apply,
    changes,
    end_of,
    reason_of,
    row,
    stands_for,
)
from tests.unit.domain.planned_day import (
    AUTO,
    EXTENSION,
    KEEP_ALL,
    LONGER,
    MEETING,
    TIMESHEET,
    WINDOW,
    actions,
    planned,
)
from tests.unit.domain.source_events import NOON, make_all_day, make_event

# Modifications


def test_a_modification_is_consumed_and_its_meeting_archived_with_the_true_end() -> None:
    decided = planned(MEETING, EXTENSION).by_key
    applied = Modification(
        "s:x",
        ModificationKind.EXTENDED,
        EXTENSION.start,
        EXTENSION.end,
        applied_modifications(decided["s:m"])[0].categories,
    )
    assert decided["s:m"] == Create("s:m", LONGER, ModifiedTimes(MEETING.start, EXTENSION.end, (applied,)))
    assert decided["s:x"] == Consume("s:x", revision(EXTENSION), "s:m")


def test_an_archived_meeting_is_updated_when_a_modification_comes_and_when_it_vanishes() -> None:
    plain = {"s:m": row("s:m", revision(MEETING))}
    result = planned(MEETING, EXTENSION, rows=plain)
    assert actions(result) == {"m": "update", "x": "consume"}
    after = apply(result.decisions, plain)
    assert not any(changes(decision) for decision in planned(MEETING, EXTENSION, rows=after).decisions)
    back = planned(MEETING, rows=after).by_key["s:m"]
    assert (back.action, back.revision, end_of(back)) == (Action.UPDATE, revision(MEETING), None)


def test_an_orphan_is_archived_as_it_is_and_counted() -> None:
    result = planned(EXTENSION)
    assert actions(result) == {"x": "create"}
    assert result.findings.orphan_modifications == 1
    assert planned(MEETING, EXTENSION).findings.modifications_applied == 1


def test_an_orphan_archived_before_is_consumed_and_its_copy_stays_known() -> None:
    rows = apply(planned(EXTENSION).decisions, {})
    result = planned(MEETING, EXTENSION, rows=rows)
    assert actions(result) == {"m": "create", "x": "consume"}
    rows = apply(result.decisions, rows)
    assert rows["s:x"].has_copy
    alone = Planner(WINDOW, policies=KEEP_ALL, released={"s:x"})
    (again,) = [*alone.feed([EXTENSION], rows).decisions, *alone.close().decisions]
    assert (again.action, changes(again)) == (Action.UNCHANGED, True)


def test_a_modification_stays_consumed_while_its_meeting_is_not_there_and_it_is_unchanged() -> None:
    rows = apply(planned(MEETING, EXTENSION).decisions, {})
    plan = Planner(WINDOW, policies=KEEP_ALL)
    (kept,) = [*plan.feed([EXTENSION], rows).decisions, *plan.close().decisions]
    assert (kept.action, changes(kept), stands_for(kept)) == (Action.CONSUME, False, "s:m")
    assert plan.presumed == {"s:x": "s:m"}
    changed = Planner(WINDOW, policies=KEEP_ALL)
    later = replace(EXTENSION, end=EXTENSION.end + timedelta(minutes=5))
    (own,) = [*changed.feed([later], rows).decisions, *changed.close().decisions]
    assert (own.action, changed.presumed) == (Action.CREATE, {})


def test_duplicates_wait_with_what_waits_unless_one_is_archived() -> None:
    twin = replace(MEETING, id="twin")
    waiting = ReadEvent(twin, "s:twin", twin.start, waits=True)
    plan = Planner(WINDOW, policies=AUTO)
    decided = {
        d.source_key: d for d in [*plan.feed([MEETING, waiting], {}).decisions, *plan.close().decisions]
    }
    assert (decided["s:m"].action, decided["s:twin"].action) == (Action.MERGE, Action.FLAG)
    assert stands_for(decided["s:m"]) == "s:twin"
    rows = apply(planned(MEETING).decisions, {})
    plan = Planner(WINDOW, policies=AUTO)
    decided = {
        d.source_key: d for d in [*plan.feed([MEETING, waiting], rows).decisions, *plan.close().decisions]
    }
    assert (decided["s:m"].action, decided["s:twin"].action) == (Action.UNCHANGED, Action.FLAG)


def test_the_duplicate_of_a_vanished_representative_comes_before_those_merged_into_it() -> None:
    first, later = replace(MEETING, id="z"), replace(MEETING, id="a")
    merged = ArchivedEventState.MERGED
    rows = {
        "s:z": KnownEvent("s:z", merged, revision(first), "s:gone", pending=False, has_copy=False),
        "s:a": KnownEvent("s:a", merged, revision(later), "s:z", pending=False, has_copy=False),
    }
    plan = Planner(WINDOW, policies=AUTO)
    decided = {d.source_key: d for d in [*plan.feed([first, later], rows).decisions, *plan.close().decisions]}
    represents, follows = decided["s:z"], decided["s:a"]
    assert isinstance(represents, Create)
    assert (represents.formerly, follows.action) == ("s:gone", Action.MERGE)


def test_the_duplicate_of_a_vanished_representative_comes_before_rows_without_a_copy() -> None:
    merged, other = replace(MEETING, id="z"), replace(MEETING, id="a")
    for state in (ArchivedEventState.CREATING, ArchivedEventState.FLAGGED, ArchivedEventState.LEFT_OUT):
        rows = {
            "s:z": KnownEvent(
                *("s:z", ArchivedEventState.MERGED, revision(merged), "s:gone"), pending=False, has_copy=False
            ),
            "s:a": KnownEvent(
                *("s:a", state, revision(other), None), pending=False, has_copy=False, under_way=False
            ),
        }
        plan = Planner(WINDOW, policies=AUTO)
        decisions = [*plan.feed([merged, other], rows).decisions, *plan.close().decisions]
        decided = {each.source_key: each for each in decisions}
        represents, follows = decided["s:z"], decided["s:a"]
        assert isinstance(represents, Create)
        assert (represents.formerly, follows.action) == ("s:gone", Action.MERGE)


def test_what_is_no_day_of_its_series_takes_part_in_nothing() -> None:
    twin = replace(MEETING, id="twin")
    invented = ReadEvent(twin, "s:twin", twin.start, left_out=LeftOut.SERIES_CHANGED)
    plan = Planner(WINDOW, policies=AUTO)
    decided = {
        d.source_key: d for d in [*plan.feed([MEETING, invented], {}).decisions, *plan.close().decisions]
    }
    assert reason_of(decided["s:twin"]) is LeftOut.SERIES_CHANGED
    assert decided["s:m"].action is Action.CREATE


def test_what_was_archived_far_before_its_place_in_the_calendar_is_decided_all_the_same() -> None:
    later = make_event("l", NOON + timedelta(days=9))
    window = Window(WINDOW.start, WINDOW.end + timedelta(days=20), WINDOW.zone)
    plan = Planner(window)
    reads = [
        ReadEvent.of(later),
        ReadEvent.of(make_event("l2", later.start)),
        ReadEvent(MEETING, "s:m", later.start),
    ]
    first = plan.feed(reads, {}).decisions
    rest = plan.close().decisions
    assert {d.source_key: d.action for d in [*first, *rest]} == {
        "s:m": Action.CREATE,
        "s:l": Action.CREATE,
        "s:l2": Action.MERGE,
    }


def test_a_source_that_vanished_before_it_was_archived_and_comes_back_is_created() -> None:
    rows = {"s:m": row("s:m", state=ArchivedEventState.SOURCE_DELETED, has_copy=False)}
    assert actions(planned(MEETING, rows=rows)) == {"m": "create"}
    twin = replace(MEETING, id="a")
    rows["s:a"] = row("s:a", revision(twin))
    assert actions(planned(MEETING, twin, rows=rows)) == {"m": "merge", "a": "unchanged"}


def test_what_did_not_take_place_or_lasts_days_neither_modifies_nor_is_modified() -> None:
    cancelled = replace(EXTENSION, is_cancelled=True)
    assert actions(planned(MEETING, cancelled)) == {"m": "create", "x": "create"}
    assert planned(MEETING, cancelled).findings.orphan_modifications == 0
    declined = replace(MEETING, is_declined=True)
    assert actions(planned(declined, EXTENSION)) == {"m": "create", "x": "create"}
    day = make_all_day("x", NOON, subject="Extended")
    assert actions(planned(MEETING, day)) == {"m": "create", "x": "create"}


def test_a_duplicate_modification_counts_once() -> None:
    result = planned(MEETING, EXTENSION, replace(EXTENSION, id="y"))
    assert actions(result) == {"m": "create", "x": "consume", "y": "merge"}
    assert result.by_key["s:m"].revision == LONGER


LATE_MEETING = make_event("m", WINDOW.start - timedelta(hours=1))
AFTER_MIDNIGHT = make_event("x", WINDOW.start, 0.5, subject="Extended")


def test_a_modification_after_midnight_is_applied_to_the_meeting_of_the_day_before() -> None:
    rows = {"s:m": row("s:m", revision(LATE_MEETING))}
    result = planned(LATE_MEETING, AFTER_MIDNIGHT, rows=rows)
    update = result.by_key["s:m"]
    assert (update.action, update.margin, end_of(update)) == (Action.UPDATE, True, AFTER_MIDNIGHT.end)
    assert result.by_key["s:x"].action is Action.CONSUME
    after = apply(result.decisions, rows)
    again = planned(LATE_MEETING, AFTER_MIDNIGHT, rows=after)
    assert [(d.source_key, changes(d)) for d in again.decisions] == [("s:x", False)]


def test_the_run_of_the_meeting_reads_its_modification_outside_the_window() -> None:
    before = Window(WINDOW.start - timedelta(days=1), WINDOW.start, WINDOW.zone)
    result = planned(LATE_MEETING, AFTER_MIDNIGHT, window=before)
    assert actions(result) == {"m": "create"}
    assert end_of(result.by_key["s:m"]) == AFTER_MIDNIGHT.end


def test_margins_create_nothing_of_their_own() -> None:
    """Neither for a meeting that is not archived yet, nor for one whose modification is not ours."""
    assert actions(planned(LATE_MEETING, AFTER_MIDNIGHT)) == {"x": "consume"}
    both_before = replace(AFTER_MIDNIGHT, start=LATE_MEETING.end - timedelta(minutes=5))
    rows = {"s:m": row("s:m", "old")}
    assert planned(LATE_MEETING, both_before, rows=rows).decisions == []


def test_a_meeting_whose_modifications_may_be_outside_what_was_read_is_left_to_its_own_run() -> None:
    meeting = make_event("m", WINDOW.end + timedelta(minutes=2), 24)
    early = make_event("x", WINDOW.end - timedelta(minutes=15), 0.25, subject="Early start")
    result = planned(early, meeting, rows={"s:m": row("s:m", revision(meeting))})
    assert actions(result) == {"x": "consume"}
    short = replace(meeting, end=meeting.start + timedelta(hours=1))
    result = planned(early, short, rows={"s:m": row("s:m", revision(short))})
    assert actions(result) == {"x": "consume", "m": "update"}


def test_a_failed_meeting_read_by_its_id_keeps_its_modifications_while_they_fit() -> None:
    applied = applied_modifications(planned(MEETING, EXTENSION).by_key["s:m"])
    later = Window(WINDOW.end, WINDOW.end + timedelta(days=1), WINDOW.zone)
    rows = row("s:m", LONGER, pending=True, modifications=applied)
    decision = Planner(later).decide_single(MEETING, rows)
    assert (decision.action, decision.revision, end_of(decision)) == (Action.UPDATE, LONGER, EXTENSION.end)
    settled = replace(rows, pending=False)
    assert Planner(later).decide_single(MEETING, settled).action is Action.UNCHANGED
    moved = make_event("m", NOON + timedelta(hours=5))
    decision = Planner(later).decide_single(moved, settled)
    assert (decision.action, decision.revision, end_of(decision)) == (Action.UPDATE, revision(moved), None)


def test_an_event_that_moved_into_the_margin_is_decided_as_it_is_seen_there() -> None:
    rows = {"s:x": row("s:x", "old", state=ArchivedEventState.CONSUMED, merged_into="s:m", has_copy=False)}
    meeting = make_event("m", WINDOW.end + timedelta(hours=2))
    extension = replace(EXTENSION, start=meeting.end, end=meeting.end + timedelta(minutes=30))
    planner = Planner(WINDOW)
    planner.feed([meeting, extension], rows)
    planner.close()
    assert "s:x" not in planner.seen
    decision = planner.decide_single(extension, rows["s:x"])
    assert (decision.action, stands_for(decision)) == (Action.CONSUME, "s:m")


# Purpose and privacy


def test_a_timesheet_leaves_out_what_is_no_work_and_says_why() -> None:
    result = planned(
        make_event("billed", NOON),
        make_event("personal", NOON + timedelta(hours=1), categories=()),
        make_event("invalid", NOON + timedelta(hours=2), categories=("Red",)),
        make_event("free", NOON + timedelta(hours=3), show_as="free"),
        make_event("travel", NOON + timedelta(hours=4), categories=(), subject="Drive to Acme"),
        policies=TIMESHEET,
    )
    reasons = {key.removeprefix("s:"): reason_of(decision) for key, decision in result.by_key.items()}
    assert reasons == {
        "billed": None,
        "personal": LeftOut.PERSONAL,
        "invalid": LeftOut.INVALID_CATEGORY,
        "free": LeftOut.FREE,
        "travel": None,
    }
    assert result.findings.category_issues == 1


def test_a_left_out_event_is_archived_once_it_is_work_and_stays_archived_after() -> None:
    lunch = make_event("a", categories=())
    rows = apply(planned(lunch, policies=TIMESHEET).decisions, {})
    assert not changes(planned(lunch, rows=rows, policies=TIMESHEET).by_key["s:a"])
    work = replace(lunch, categories=("Acme - billable",))
    result = planned(work, rows=rows, policies=TIMESHEET)
    assert actions(result) == {"a": "create"}
    rows = apply(result.decisions, rows)
    assert actions(planned(lunch, rows=rows, policies=TIMESHEET)) == {"a": "update"}


def test_an_archived_event_that_is_no_work_any_more_holds_nobody_back() -> None:
    lunch, work = make_event("a", categories=()), make_event("b")
    result = planned(lunch, work, rows={"s:a": row("s:a")}, policies=TIMESHEET)
    assert actions(result) == {"a": "update", "b": "create"}


def test_the_timesheet_consumes_a_modification_without_category() -> None:
    extension = replace(EXTENSION, categories=())
    assert actions(planned(MEETING, extension, policies=TIMESHEET)) == {"m": "create", "x": "consume"}
    assert actions(planned(extension, policies=TIMESHEET)) == {"x": "leave_out"}


def test_privacy_automation_marks_personal_time_and_travel_on_writes_only() -> None:
    policies = PlanPolicies(privacy_automation=True, out_of_office=True)
    lunch = make_event("a", categories=())
    drive = make_event("b", NOON + timedelta(hours=2), subject="Drive", show_as="free")
    work = make_event("c", NOON + timedelta(hours=4))
    shown = [as_shown(event, None, policies) for event in (lunch, drive, work)]
    assert [(each.sensitivity, each.show_as) for each in shown] == [
        ("private", "oof"),
        ("private", "free"),
        ("normal", "oof"),
    ]
    rows = {"s:a": row("s:a", revision(lunch))}
    assert planned(lunch, rows=rows, policies=policies).by_key["s:a"].action is Action.UNCHANGED


def test_an_event_read_by_its_id_is_left_out_where_the_purpose_says_so() -> None:
    lunch = make_event("a", WINDOW.start - timedelta(days=5), categories=())
    creating = row("s:a", state=ArchivedEventState.CREATING)
    assert Planner(WINDOW, policies=TIMESHEET).decide_single(lunch, creating).action is Action.LEAVE_OUT
    assert Planner(WINDOW, policies=TIMESHEET).decide_single(lunch, row("s:a")).action is Action.UPDATE


def test_the_modifications_of_a_copy_are_kept_as_json() -> None:
    (applied,) = applied_modifications(planned(MEETING, EXTENSION).by_key["s:m"])
    assert Modification.from_json(json.loads(json.dumps(applied.to_json()))) == applied


def test_a_copy_shows_the_times_and_flags_that_were_decided() -> None:
    policies = PlanPolicies(privacy_automation=True, out_of_office=True)
    meeting, extension = replace(MEETING, categories=()), replace(EXTENSION, categories=())
    decision = planned(meeting, extension, policies=policies).by_key["s:m"]
    assert isinstance(decision, Create)
    shown = as_shown(meeting, decision.times, policies)
    changed = replace(meeting, end=extension.end, sensitivity="private", show_as="oof")
    assert shown == replace(changed, original_start=meeting.start)
    assert as_shown(meeting, None, policies) == replace(meeting, sensitivity="private", show_as="oof")
    assert as_shown(MEETING, None, PlanPolicies()) is MEETING


def test_an_event_of_the_margin_that_comes_again_later_is_left_to_the_next_run() -> None:
    before = make_event("a", WINDOW.start - timedelta(hours=20))
    later = make_event("b", WINDOW.start + timedelta(hours=12))
    planner = Planner(WINDOW)
    planner.feed([before, later, make_event("a", WINDOW.start + timedelta(hours=12))], {})
    assert [decision.source_key for decision in planner.close().decisions] == ["s:b"]
    assert "s:a" not in planner.seen

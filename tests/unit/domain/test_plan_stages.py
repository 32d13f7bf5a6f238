"""What a plan makes of modifications, purposes, overlaps and privacy (domain.md 2.7, 4, 5, 6)."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.domain.archive_plan import Action, Decision, KnownOverlap, Planner
from shared.domain.archived_event import ArchivedEventState
from shared.domain.event_facts import automated
from shared.domain.modifications import Modification, ModificationKind
from shared.domain.overlap_rules import OverlapPolicy, Verdict
from shared.domain.plan_decision import as_decided
from shared.domain.plan_overlaps import GroupStatus
from shared.domain.plan_policies import PlanPolicies, default_overlap_policy
from shared.domain.purpose import LeftOut, Purpose
from shared.domain.revision import revision
from shared.domain.source_event import SourceEvent
from shared.domain.window import Window
from tests.unit.domain.map_model import (
    OPENED,
    MapRows,
    Overlaps,
    Planned,
    apply,
    merged_row,
    plan_all,
    row,
    store,
)
from tests.unit.domain.source_events import NOON, make_all_day, make_event

WINDOW = Window(datetime(2026, 2, 3, tzinfo=UTC), datetime(2026, 2, 4, tzinfo=UTC), ZoneInfo("UTC"))
FLAG = PlanPolicies(overlap_policy=OverlapPolicy.FLAG)
AUTO = PlanPolicies(overlap_policy=OverlapPolicy.AUTO)
KEEP_ALL = PlanPolicies()
TIMESHEET = PlanPolicies(purpose=Purpose.TIMESHEET, overlap_policy=OverlapPolicy.AUTO)

MEETING = make_event("m")
EXTENSION = make_event("x", NOON + timedelta(hours=1), 0.5, subject="Extended")
LONGER = revision(MEETING, [("s:x", EXTENSION.start, EXTENSION.end)])


def planned(
    *events: SourceEvent,
    rows: MapRows | None = None,
    policies: PlanPolicies = KEEP_ALL,
    overlaps: Overlaps | None = None,
    window: Window = WINDOW,
) -> Planned:
    ordered = sorted(events, key=lambda event: event.start)
    return plan_all(window, [ordered], rows, policies=policies, overlaps=overlaps)


def actions(result: Planned) -> dict[str, str]:
    return {key.removeprefix("s:"): str(decision.action) for key, decision in result.by_key.items()}


# Modifications


def test_a_modification_is_consumed_and_its_meeting_archived_with_the_true_end() -> None:
    decided = planned(MEETING, EXTENSION).by_key
    applied = Modification(
        "s:x",
        ModificationKind.EXTENDED,
        EXTENSION.start,
        EXTENSION.end,
        decided["s:m"].modifications[0].categories,
    )
    assert decided["s:m"] == Decision(
        "s:m", Action.CREATE, LONGER, start=MEETING.start, end=EXTENSION.end, modifications=(applied,)
    )
    assert decided["s:x"] == Decision("s:x", Action.CONSUME, revision(EXTENSION), representative="s:m")


def test_an_archived_meeting_is_updated_when_a_modification_comes_and_when_it_vanishes() -> None:
    plain = {"s:m": row("s:m", revision(MEETING))}
    result = planned(MEETING, EXTENSION, rows=plain)
    assert actions(result) == {"m": "update", "x": "consume"}
    after = apply(result.decisions, plain)
    assert not any(decision.changed for decision in planned(MEETING, EXTENSION, rows=after).decisions)
    back = planned(MEETING, rows=after).by_key["s:m"]
    assert (back.action, back.revision, back.end) == (Action.UPDATE, revision(MEETING), None)


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
    again = planned(EXTENSION, rows=rows).by_key["s:x"]
    assert (again.action, again.changed) == (Action.UNCHANGED, True)


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
    assert (update.action, update.margin, update.end) == (Action.UPDATE, True, AFTER_MIDNIGHT.end)
    assert result.by_key["s:x"].action is Action.CONSUME
    after = apply(result.decisions, rows)
    again = planned(LATE_MEETING, AFTER_MIDNIGHT, rows=after)
    assert [(d.source_key, d.changed) for d in again.decisions] == [("s:x", False)]


def test_the_run_of_the_meeting_reads_its_modification_beyond_the_window() -> None:
    before = Window(WINDOW.start - timedelta(days=1), WINDOW.start, WINDOW.zone)
    result = planned(LATE_MEETING, AFTER_MIDNIGHT, window=before)
    assert actions(result) == {"m": "create"}
    assert result.by_key["s:m"].end == AFTER_MIDNIGHT.end


def test_margins_create_nothing_of_their_own() -> None:
    """Neither for a meeting that is not archived yet, nor for one whose modification is not ours."""
    assert actions(planned(LATE_MEETING, AFTER_MIDNIGHT)) == {"x": "consume"}
    both_before = replace(AFTER_MIDNIGHT, start=LATE_MEETING.end - timedelta(minutes=5))
    rows = {"s:m": row("s:m", "old")}
    assert planned(LATE_MEETING, both_before, rows=rows).decisions == []


def test_a_meeting_whose_modifications_may_lie_beyond_what_was_read_is_left_to_its_own_run() -> None:
    meeting = make_event("m", WINDOW.end + timedelta(minutes=2), 24)
    early = make_event("x", WINDOW.end - timedelta(minutes=15), 0.25, subject="Early start")
    result = planned(early, meeting, rows={"s:m": row("s:m", revision(meeting))})
    assert actions(result) == {"x": "consume"}
    short = replace(meeting, end=meeting.start + timedelta(hours=1))
    result = planned(early, short, rows={"s:m": row("s:m", revision(short))})
    assert actions(result) == {"x": "consume", "m": "update"}


def test_a_failed_meeting_read_by_its_id_keeps_its_modifications_while_they_fit() -> None:
    applied = planned(MEETING, EXTENSION).by_key["s:m"].modifications
    later = Window(WINDOW.end, WINDOW.end + timedelta(days=1), WINDOW.zone)
    rows = row("s:m", LONGER, pending=True, modifications=applied)
    decision = Planner(later).decide_single(MEETING, rows)
    assert (decision.action, decision.revision, decision.end) == (Action.UPDATE, LONGER, EXTENSION.end)
    settled = replace(rows, pending=False)
    assert Planner(later).decide_single(MEETING, settled).action is Action.UNCHANGED
    moved = make_event("m", NOON + timedelta(hours=5))
    decision = Planner(later).decide_single(moved, settled)
    assert (decision.action, decision.revision, decision.end) == (Action.UPDATE, revision(moved), None)


def test_an_event_that_moved_into_the_margin_is_decided_as_it_is_seen_there() -> None:
    rows = {"s:x": row("s:x", "old", state=ArchivedEventState.CONSUMED, merged_into="s:m", has_copy=False)}
    meeting = make_event("m", WINDOW.end + timedelta(hours=2))
    extension = replace(EXTENSION, start=meeting.end, end=meeting.end + timedelta(minutes=30))
    planner = Planner(WINDOW)
    planner.feed([meeting, extension], rows)
    planner.close()
    assert not planner.has_seen("s:x")
    decision = planner.decide_single(extension, rows["s:x"])
    assert (decision.action, decision.representative) == (Action.CONSUME, "s:m")


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
    reasons = {key.removeprefix("s:"): decision.reason for key, decision in result.by_key.items()}
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
    assert not planned(lunch, rows=rows, policies=TIMESHEET).by_key["s:a"].changed
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
    decided = planned(lunch, drive, work, policies=policies).by_key
    assert [(decided[key].sensitivity, decided[key].show_as) for key in ("s:a", "s:b", "s:c")] == [
        ("private", "oof"),
        ("private", None),
        (None, "oof"),
    ]
    rows = {"s:a": row("s:a", revision(lunch))}
    assert planned(lunch, rows=rows, policies=policies).by_key["s:a"].action is Action.UNCHANGED


# Overlaps


def twins() -> list[SourceEvent]:
    return [make_event("a", subject="One"), make_event("b", NOON + timedelta(minutes=30), subject="Two")]


def test_keep_all_archives_everything_and_records_the_group() -> None:
    result = planned(*twins())
    assert actions(result) == {"a": "create", "b": "create"}
    (group,) = result.groups
    assert (group.status, group.label, group.stored_id, group.owned) == (
        GroupStatus.RECORDED,
        "s:a",
        None,
        True,
    )
    assert [member.source_key for member in group.members] == ["s:a", "s:b"]
    assert result.findings.overlaps_recorded == 1


def test_flag_archives_none_of_the_group_until_it_is_resolved() -> None:
    events = [*twins(), make_event("c", NOON + timedelta(hours=3))]
    result = planned(*events, policies=FLAG)
    assert actions(result) == {"a": "flag", "b": "flag", "c": "create"}
    assert result.by_key["s:a"].group == result.groups[0].label
    rows, overlaps = apply(result.decisions, {}), store(result.groups, {})
    again = planned(*events, rows=rows, overlaps=overlaps, policies=FLAG)
    assert not any(decision.changed for decision in again.decisions)
    assert not again.groups[0].changed
    assert again.vanished_groups == frozenset()


def test_auto_drops_by_rule_with_a_log_and_flags_what_remains() -> None:
    one, two = twins()
    result = planned(one, replace(two, show_as="tentative"), policies=AUTO)
    assert actions(result) == {"a": "create", "b": "leave_out"}
    assert result.by_key["s:b"].reason is LeftOut.OVERLAP_RULE
    assert result.groups[0].status is GroupStatus.RESOLVED
    assert [(step.key, step.because_of) for step in result.groups[0].log] == [("s:b", "s:a")]
    assert result.findings.overlaps_resolved == 1
    assert actions(planned(*twins(), policies=AUTO)) == {"a": "flag", "b": "flag"}


def test_what_is_archived_stays_and_only_the_newcomer_waits() -> None:
    one, two = twins()
    rows = {"s:a": row("s:a", revision(one))}
    result = planned(one, two, rows=rows, policies=FLAG)
    assert actions(result) == {"a": "unchanged", "b": "flag"}
    assert [member.archived for member in result.groups[0].members] == [True, False]


def test_a_copy_the_owner_removed_holds_nobody_back() -> None:
    one, two = twins()
    rows = {"s:a": row("s:a", state=ArchivedEventState.REMOVED_BY_OWNER)}
    assert actions(planned(one, two, rows=rows, policies=FLAG)) == {"a": "removed_by_owner", "b": "create"}


def membership(event: SourceEvent, **changes: object) -> KnownOverlap:
    known = KnownOverlap("g1", OPENED, 2, revision(event))
    return replace(known, **changes)  # type: ignore[arg-type]


def settled(events: Sequence[SourceEvent], *kept: str) -> Overlaps:
    return {f"s:{event.id}": membership(event, settled=True, kept=event.id in kept) for event in events}


@pytest.mark.parametrize("policies", [FLAG, AUTO, KEEP_ALL])
def test_a_resolution_binds_as_long_as_the_members_are_the_same(policies: PlanPolicies) -> None:
    overlaps = settled(twins(), "b")
    result = planned(*twins(), overlaps=overlaps, policies=policies)
    assert actions(result) == {"a": "leave_out", "b": "create"}
    assert result.by_key["s:a"].reason is LeftOut.RESOLUTION
    assert (result.groups[0].status, result.groups[0].changed) == (GroupStatus.SETTLED, False)


def test_an_expired_group_is_archived_whole() -> None:
    overlaps = settled(twins(), "a", "b")
    assert actions(planned(*twins(), overlaps=overlaps, policies=FLAG)) == {"a": "create", "b": "create"}


def test_a_changed_or_new_member_reopens_the_group() -> None:
    overlaps = settled(twins(), "b")
    one, two = twins()
    changed = planned(one, replace(two, location="Room 9"), overlaps=overlaps, policies=FLAG)
    assert actions(changed) == {"a": "flag", "b": "flag"}
    assert changed.groups[0].reopened
    assert changed.groups[0].label == "g1"
    third = make_event("c", NOON + timedelta(minutes=45), subject="Three")
    joined = planned(one, two, third, overlaps=overlaps, policies=FLAG)
    assert actions(joined) == {"a": "flag", "b": "flag", "c": "flag"}
    assert joined.groups[0].reopened


def test_two_stored_groups_that_meet_become_the_older_one() -> None:
    one, two = twins()
    older = OPENED - timedelta(days=1)
    overlaps = {"s:a": membership(one), "s:b": membership(two, group_id="g0", opened_at=older)}
    (group,) = planned(one, two, overlaps=overlaps, policies=FLAG).groups
    assert (group.label, group.stored_id, group.absorbed) == ("g0", "g0", ("g1",))


def test_a_group_whose_overlap_vanished_is_closed_and_its_events_archived() -> None:
    one, two = twins()
    rows = apply(planned(one, two, policies=FLAG).decisions, {})
    overlaps = {"s:a": membership(one), "s:b": membership(two)}
    moved = make_event("b", NOON + timedelta(hours=5), subject="Two")
    for policies in (FLAG, AUTO, KEEP_ALL):
        result = planned(one, moved, rows=rows, overlaps=overlaps, policies=policies)
        assert actions(result) == {"a": "create", "b": "create"}
        assert result.vanished_groups == {"g1"}


def test_times_after_modifications_decide_what_overlaps() -> None:
    following = make_event("n", NOON + timedelta(minutes=75), subject="Next", categories=("Beta - billable",))
    result = planned(MEETING, EXTENSION, following, policies=FLAG)
    assert actions(result) == {"m": "flag", "x": "consume", "n": "flag"}
    shortened = replace(
        EXTENSION, subject="Shortened", start=NOON + timedelta(minutes=30), end=NOON + timedelta(hours=1)
    )
    second = make_event("n", NOON + timedelta(minutes=30), subject="Next", categories=("Beta - billable",))
    assert actions(planned(MEETING, shortened, second, policies=FLAG)) == {
        "m": "create",
        "x": "consume",
        "n": "create",
    }


def test_a_day_overlaps_only_where_the_configuration_says_so() -> None:
    zone = ZoneInfo("Pacific/Auckland")
    window = Window(datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 8, tzinfo=UTC), zone)
    day = make_all_day("d", NOON, show_as="oof")  # 2 February 11:00 UTC to 3 February 11:00 UTC
    inside = make_event("i", datetime(2026, 2, 2, 23, tzinfo=UTC))
    outside = make_event("o", NOON)
    counts = replace(FLAG, all_day_counts=True)
    decided = planned(day, inside, outside, policies=counts, window=window)
    assert actions(decided) == {"d": "flag", "i": "flag", "o": "create"}
    without = planned(day, inside, outside, policies=FLAG, window=window)
    assert set(actions(without).values()) == {"create"}
    free = planned(replace(day, show_as="free"), inside, outside, policies=counts, window=window)
    assert set(actions(free).values()) == {"create"}


def test_a_group_across_midnight_is_recorded_by_both_runs_and_belongs_to_the_first() -> None:
    late = make_event("a", WINDOW.start - timedelta(minutes=30), subject="Late")
    early = make_event("b", WINDOW.start, subject="Early")
    result = planned(late, early, policies=FLAG)
    assert actions(result) == {"b": "flag"}
    assert not result.groups[0].owned
    assert result.findings.overlaps_flagged == 0
    assert [member.verdict for member in result.groups[0].members] == [Verdict.FLAGGED, Verdict.FLAGGED]


def test_a_merged_duplicate_of_a_flagged_event_points_to_it_and_does_not_wait_itself() -> None:
    one, two = twins()
    result = planned(one, replace(one, id="z"), two, policies=FLAG)
    assert actions(result) == {"a": "flag", "z": "merge", "b": "flag"}
    assert len(result.groups[0].members) == 2


def test_a_flagged_event_keeps_standing_for_its_duplicates() -> None:
    one, two = make_event("b"), make_event("c", NOON + timedelta(minutes=30), subject="Two")
    rows = apply(planned(one, replace(one, id="d"), two, policies=FLAG).decisions, {})
    result = planned(make_event("a"), one, replace(one, id="d"), two, rows=rows, policies=FLAG)
    assert actions(result) == {"a": "merge", "b": "flag", "d": "merge", "c": "flag"}
    assert result.by_key["s:a"].representative == "s:b"


def test_a_waiting_event_that_moved_to_a_later_day_waits_for_that_days_run() -> None:
    later = make_event("a", WINDOW.end + timedelta(days=5))
    for state in (ArchivedEventState.FLAGGED, ArchivedEventState.LEFT_OUT, ArchivedEventState.CONSUMED):
        known = row("s:a", state=state, has_copy=False)
        decision = Planner(WINDOW, policies=FLAG).decide_single(later, known)
        assert not decision.changed
        assert decision.action in (Action.FLAG, Action.LEAVE_OUT, Action.CONSUME)
    earlier = make_event("a", WINDOW.start - timedelta(days=5))
    flagged = row("s:a", state=ArchivedEventState.FLAGGED)
    assert Planner(WINDOW, policies=FLAG).decide_single(earlier, flagged).action is Action.CREATE
    assert Planner(WINDOW).decide_single(later, merged_row("s:a", "s:b")).formerly == "s:b"


def test_an_event_read_by_its_id_is_left_out_where_the_purpose_says_so() -> None:
    lunch = make_event("a", WINDOW.start - timedelta(days=5), categories=())
    creating = row("s:a", state=ArchivedEventState.CREATING)
    assert Planner(WINDOW, policies=TIMESHEET).decide_single(lunch, creating).action is Action.LEAVE_OUT
    assert Planner(WINDOW, policies=TIMESHEET).decide_single(lunch, row("s:a")).action is Action.UPDATE


def test_the_policy_nobody_named_depends_on_the_purpose() -> None:
    assert default_overlap_policy(Purpose.GENERAL) is OverlapPolicy.KEEP_ALL
    assert default_overlap_policy(Purpose.TIMESHEET) is OverlapPolicy.AUTO


def test_the_modifications_of_a_copy_are_kept_as_json() -> None:
    (applied,) = planned(MEETING, EXTENSION).by_key["s:m"].modifications
    assert Modification.from_json(json.loads(json.dumps(applied.to_json()))) == applied


def test_a_copy_shows_the_times_and_flags_that_were_decided() -> None:
    policies = PlanPolicies(privacy_automation=True, out_of_office=True)
    meeting, extension = replace(MEETING, categories=()), replace(EXTENSION, categories=())
    decision = planned(meeting, extension, policies=policies).by_key["s:m"]
    shown = as_decided(meeting, decision)
    changed = {"end": extension.end, "sensitivity": "private", "show_as": "oof"}
    assert shown == replace(meeting, original_start=meeting.start, **changed)
    assert automated(meeting, policies) == replace(meeting, sensitivity="private", show_as="oof")
    assert automated(MEETING, PlanPolicies()) is MEETING

"""What a plan makes of overlaps (domain.md 5)."""

from collections.abc import Sequence
from copy import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.domain.events.revision import revision
from shared.domain.events.source_event import SourceEvent
from shared.domain.overlaps.rules import OverlapPolicy, Verdict
from shared.domain.planning.archive_plan import Decided, KnownOverlap, Planner
from shared.domain.planning.decision import Action, Create, Flag, applied_modifications
from shared.domain.planning.overlaps import GroupStatus
from shared.domain.planning.policies import PlanPolicies, default_overlap_policy
from shared.domain.planning.purpose import LeftOut, Purpose
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.runs.window import Window
from tests.unit.domain.map_model import (
    OPENED,
    Overlaps,
    apply,
    changes,
    end_of,
    merged_row,
    plan_all,
    reason_of,
    row,
    stands_for,
    store,
)
from tests.unit.domain.planned_day import AUTO, EXTENSION, FLAG, KEEP_ALL, MEETING, WINDOW, actions, planned
from tests.unit.domain.source_events import NOON, make_all_day, make_event

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
    flagged = result.by_key["s:a"]
    assert isinstance(flagged, Flag)
    assert flagged.group == result.groups[0].label
    rows, overlaps = apply(result.decisions, {}), store(result.groups, {})
    again = planned(*events, rows=rows, overlaps=overlaps, policies=FLAG)
    assert not any(changes(decision) for decision in again.decisions)
    assert not again.groups[0].changed
    assert again.vanished_groups == frozenset()


def test_a_flagged_meeting_waits_with_the_times_of_its_modification() -> None:
    other = make_event("other", MEETING.start + timedelta(minutes=30), subject="Other")
    result = planned(MEETING, EXTENSION, other, policies=FLAG)
    flagged = result.by_key[f"s:{MEETING.id}"]
    assert (flagged.action, end_of(flagged)) == (Action.FLAG, EXTENSION.end)
    assert [each.key for each in applied_modifications(flagged)] == [f"s:{EXTENSION.id}"]
    assert flagged.revision == next(
        member.revision for member in result.groups[0].members if member.source_key == flagged.source_key
    )


def test_a_group_that_reaches_outside_what_was_read_is_judged_by_what_was_read() -> None:
    long = make_event("long", WINDOW.start - timedelta(days=3), hours=24 * 4, subject="Long")
    talk = make_event("talk", subject="Talk")
    decided = {
        key: KnownOverlap("g", OPENED, 5, revision(event), decided=True, kept=key == "s:long")
        for key, event in (("s:long", long), ("s:talk", talk))
    }
    result = planned(long, talk, overlaps=decided, policies=FLAG)
    assert actions(result) == {"talk": "leave_out"}
    (group,) = result.groups
    assert (group.complete, group.changed, group.status) == (False, False, GroupStatus.SETTLED)
    # One that is new among those seen reopens it; one that is seen whole is compared whole.
    again = planned(long, talk, make_event("new", subject="New"), overlaps=decided, policies=FLAG)
    assert (again.groups[0].changed, again.groups[0].reopened) == (True, True)
    short = make_event("long", NOON, subject="Long")
    whole = {**decided, "s:long": replace(decided["s:long"], revision=revision(short))}
    assert planned(short, talk, overlaps=whole, policies=FLAG).groups[0].reopened


def test_what_rules_decided_of_a_whole_group_stands_where_only_a_part_of_it_is_seen() -> None:
    """Two of the highest importance are flagged; a later window sees one of them, the only one there."""
    long = make_event("long", WINDOW.end - timedelta(hours=1), hours=24 * 4, subject="Long")
    high = make_event("high", WINDOW.end - timedelta(minutes=30), subject="High", importance="high")
    waiting = {"state": ArchivedEventState.FLAGGED, "has_copy": False}
    rows = {f"s:{e.id}": row(f"s:{e.id}", revision(e), **waiting) for e in (long, high)}
    flagged = {f"s:{e.id}": KnownOverlap("g", OPENED, 3, revision(e), waiting=True) for e in (long, high)}
    result = planned(long, high, rows=rows, overlaps=flagged, policies=AUTO)
    assert actions(result) == {"long": "flag", "high": "flag"}
    assert (result.groups[0].status, result.groups[0].changed) == (GroupStatus.FLAGGED, False)
    # What was dropped stays dropped, and unread members may still wait.
    dropped = {"state": ArchivedEventState.LEFT_OUT, "left_out": LeftOut.OVERLAP_RULE, "has_copy": False}
    rows["s:long"] = row("s:long", revision(long), **dropped)
    rows["s:high"] = row("s:high", revision(high))
    result = planned(long, high, rows=rows, overlaps=flagged, policies=AUTO)
    assert actions(result) == {"long": "leave_out", "high": "unchanged"}
    assert result.groups[0].status is GroupStatus.FLAGGED
    # Under the other policies, too, unless everything is kept.
    archived = {
        key: replace(known, state=ArchivedEventState.PRESENT, has_copy=True) for key, known in rows.items()
    }
    for policies, status in ((FLAG, GroupStatus.FLAGGED), (KEEP_ALL, GroupStatus.RECORDED)):
        result = planned(long, high, rows=archived, overlaps=flagged, policies=policies)
        assert result.groups[0].status is status
    # Changed, it is judged as it is seen.
    moved = make_event("high", WINDOW.end - timedelta(minutes=20), subject="High", importance="high")
    rows = {key: row(key, "before", **waiting) for key in rows}
    result = planned(long, moved, rows=rows, overlaps=flagged, policies=AUTO)
    assert actions(result) == {"long": "leave_out", "high": "create"}


@pytest.mark.parametrize(
    ("known", "waiting", "action"),
    [
        (None, True, "flag"),
        (None, False, "create"),
        ({"state": ArchivedEventState.CREATING, "under_way": False}, True, "flag"),
        ({"state": ArchivedEventState.CREATING, "under_way": True}, True, "create"),
        ({"state": ArchivedEventState.LEFT_OUT, "left_out": LeftOut.RESOLUTION}, True, "leave_out"),
        ({"state": ArchivedEventState.FLAGGED}, False, "flag"),
    ],
)
def test_who_was_not_decided_waits_with_the_part_of_a_group_that_waits(
    known: dict[str, object] | None, waiting: bool, action: str
) -> None:
    long = make_event("long", WINDOW.end - timedelta(hours=1), hours=24 * 4, subject="Long")
    back = make_event("back", WINDOW.end - timedelta(minutes=30), subject="Back", importance="high")
    rows = {"s:long": row("s:long", revision(long))}
    if known is not None:
        rows["s:back"] = row("s:back", revision(back), has_copy=False, **known)
    overlaps = {f"s:{e.id}": KnownOverlap("g", OPENED, 3, revision(e), waiting=waiting) for e in (long, back)}
    assert actions(planned(long, back, rows=rows, overlaps=overlaps, policies=AUTO))["back"] == action


def test_auto_drops_by_rule_with_a_log_and_flags_what_remains() -> None:
    one, two = twins()
    result = planned(one, replace(two, show_as="tentative"), policies=AUTO)
    assert actions(result) == {"a": "create", "b": "leave_out"}
    assert reason_of(result.by_key["s:b"]) is LeftOut.OVERLAP_RULE
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


def decided(events: Sequence[SourceEvent], *kept: str) -> Overlaps:
    return {f"s:{event.id}": membership(event, decided=True, kept=event.id in kept) for event in events}


@pytest.mark.parametrize("policies", [FLAG, AUTO, KEEP_ALL])
def test_a_resolution_binds_as_long_as_the_members_are_the_same(policies: PlanPolicies) -> None:
    overlaps = decided(twins(), "b")
    result = planned(*twins(), overlaps=overlaps, policies=policies)
    assert actions(result) == {"a": "leave_out", "b": "create"}
    assert reason_of(result.by_key["s:a"]) is LeftOut.RESOLUTION
    assert (result.groups[0].status, result.groups[0].changed) == (GroupStatus.SETTLED, False)


def test_an_expired_group_is_archived_whole() -> None:
    overlaps = decided(twins(), "a", "b")
    assert actions(planned(*twins(), overlaps=overlaps, policies=FLAG)) == {"a": "create", "b": "create"}


def test_a_changed_or_new_member_reopens_the_group() -> None:
    overlaps = decided(twins(), "b")
    one, two = twins()
    changed = planned(one, replace(two, location="Room 9"), overlaps=overlaps, policies=FLAG)
    assert actions(changed) == {"a": "flag", "b": "flag"}
    assert changed.groups[0].reopened
    assert changed.groups[0].label == "g1"
    third = make_event("c", NOON + timedelta(minutes=45), subject="Three")
    joined = planned(one, two, third, overlaps=overlaps, policies=FLAG)
    assert actions(joined) == {"a": "flag", "b": "flag", "c": "flag"}
    assert joined.groups[0].reopened


def test_where_all_is_kept_a_reopened_group_leaves_nothing_out() -> None:
    """A drop that was decided and never carried out binds no more: once left out, once archived it was."""
    one, two = twins()
    overlaps = decided([one, two], "b")
    third = make_event("c", NOON + timedelta(minutes=45), subject="Three")
    joined = planned(one, two, third, overlaps=overlaps, policies=KEEP_ALL)
    assert actions(joined) == {"a": "create", "b": "create", "c": "create"}
    assert (joined.groups[0].status, joined.groups[0].reopened) == (GroupStatus.RECORDED, True)
    alone = planned(one, overlaps=overlaps, policies=KEEP_ALL)
    assert actions(alone) == {"a": "create"}


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
    assert stands_for(result.by_key["s:a"]) == "s:b"


def test_a_waiting_event_that_moved_to_a_later_day_waits_for_that_days_run() -> None:
    later = make_event("a", WINDOW.end + timedelta(days=5))
    for state in (ArchivedEventState.FLAGGED, ArchivedEventState.LEFT_OUT, ArchivedEventState.CONSUMED):
        known = row("s:a", state=state, has_copy=False)
        decision = Planner(WINDOW, policies=FLAG).decide_single(later, known)
        assert not changes(decision)
        assert decision.action in (Action.FLAG, Action.LEAVE_OUT, Action.CONSUME)
    earlier = make_event("a", WINDOW.start - timedelta(days=5))
    flagged = row("s:a", state=ArchivedEventState.FLAGGED)
    assert Planner(WINDOW, policies=FLAG).decide_single(earlier, flagged).action is Action.CREATE
    assert Planner(WINDOW).decide_single(later, merged_row("s:a", "s:b")) == Create(
        "s:a", revision(later), formerly="s:b"
    )


def test_the_policy_nobody_named_depends_on_the_purpose() -> None:
    assert default_overlap_policy(Purpose.GENERAL) is OverlapPolicy.KEEP_ALL
    assert default_overlap_policy(Purpose.TIMESHEET) is OverlapPolicy.AUTO


def test_what_was_archived_stays_even_where_a_resolution_leaves_it_out() -> None:
    one, two = twins()
    rows = {"s:a": row("s:a", revision(one))}
    result = planned(one, two, rows=rows, overlaps=decided([one, two], "b"), policies=FLAG)
    assert actions(result) == {"a": "unchanged", "b": "create"}


def test_who_a_rule_leaves_out_may_still_take_over_the_copy_of_a_representative() -> None:
    tentative, confirmed = make_event("a", show_as="tentative"), make_event("b", subject="Two")
    result = planned(tentative, confirmed, rows={"s:a": merged_row("s:a", "s:gone")}, policies=AUTO)
    assert actions(result) == {"a": "leave_out", "b": "create"}
    heirs = Decided(result.decisions, [], frozenset()).heirs
    assert {key: each.formerly for key, each in heirs.items()} == {"s:a": "s:gone"}
    first = planned(tentative, confirmed, policies=AUTO)
    assert Decided(first.decisions, [], frozenset()).heirs == {}


def test_a_member_that_went_away_reopens_what_still_overlaps() -> None:
    overlaps = {key: replace(known, member_count=3) for key, known in decided(twins(), "b").items()}
    result = planned(*twins(), overlaps=overlaps, policies=FLAG)
    assert actions(result) == {"a": "flag", "b": "flag"}
    assert result.groups[0].reopened


def test_a_day_that_comes_late_in_the_easternmost_zone_still_overlaps() -> None:
    zone = ZoneInfo("Pacific/Kiritimati")
    window = Window(datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 8, tzinfo=UTC), zone)
    midnight = datetime(2026, 2, 3, tzinfo=UTC)
    timed = make_event("t", midnight - timedelta(hours=13))
    days = [
        make_all_day(key, midnight + away) for key, away in (("n", timedelta(days=1)), ("d", timedelta()))
    ]
    counts = replace(FLAG, all_day_counts=True)
    result = plan_all(window, [[timed, *days]], policies=counts)
    assert actions(result) == {"t": "flag", "d": "flag", "n": "create"}

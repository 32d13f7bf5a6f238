"""What a run decides for each event (domain.md 2.3, 2.4, 2.9, 2.10)."""

from copy import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.domain.events.revision import revision
from shared.domain.events.source_event import SourceEvent
from shared.domain.planning.archive_plan import Decision, Planner
from shared.domain.planning.decision import Action, Create, Merge, Unchanged, Update
from shared.domain.runs.archive_run import RunMode
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.runs.window import Window
from tests.unit.domain.map_model import MapRows, changes, merged_row, plan, row, stands_for
from tests.unit.domain.source_events import NOON, make_all_day, make_event, make_occurrence

WINDOW = Window(datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 8, tzinfo=UTC), ZoneInfo("UTC"))
EVENT = make_event("a")
NOW = revision(EVENT)


def decide(
    *events: SourceEvent, rows: MapRows | None = None, mode: RunMode = RunMode.NORMAL
) -> dict[str, Decision]:
    decisions = plan(WINDOW, [events], rows, mode)
    by_key = {decision.source_key: decision for decision in decisions}
    assert len(by_key) == len(decisions)
    return by_key


def test_a_new_event_is_created_and_an_archived_one_compared() -> None:
    assert decide(EVENT)["s:a"] == Create("s:a", NOW)
    unchanged = decide(EVENT, rows={"s:a": row("s:a", NOW)})["s:a"]
    assert unchanged == Unchanged("s:a", NOW)
    assert decide(EVENT, rows={"s:a": row("s:a", "old")})["s:a"] == Update("s:a", NOW)


def test_events_of_the_margins_create_no_decisions() -> None:
    before, after = make_event("x", WINDOW.start - timedelta(minutes=1)), make_event("y", WINDOW.end)
    assert decide(before, EVENT, after).keys() == {"s:a"}


@pytest.mark.parametrize(
    ("state", "pending", "known_revision", "action"),
    [
        (ArchivedEventState.CREATING, True, NOW, Action.CREATE),
        (ArchivedEventState.CREATING, False, NOW, Action.CREATE),
        (ArchivedEventState.PRESENT, True, NOW, Action.UPDATE),
        (ArchivedEventState.SOURCE_DELETED, False, "old", Action.UPDATE),
        (ArchivedEventState.SOURCE_DELETED, False, NOW, Action.UNCHANGED),
        (ArchivedEventState.REMOVED_BY_OWNER, False, "old", Action.REMOVED_BY_OWNER),
        (ArchivedEventState.REMOVED_BY_OWNER, True, "old", Action.REMOVED_BY_OWNER),
    ],
)
def test_the_row_of_an_event_says_what_is_left_to_do(
    state: ArchivedEventState, pending: bool, known_revision: str, action: Action
) -> None:
    rows = {"s:a": row("s:a", known_revision, state=state, pending=pending)}
    assert decide(EVENT, rows=rows)["s:a"].action is action


def test_an_event_that_reappears_unchanged_must_be_marked_present_again() -> None:
    rows = {"s:a": row("s:a", NOW, state=ArchivedEventState.SOURCE_DELETED)}
    assert changes(decide(EVENT, rows=rows)["s:a"])


def test_what_was_refused_for_the_owners_edit_is_not_tried_again_until_it_changes() -> None:
    edited = row("s:a", "archived", conflict_revision=NOW)
    assert decide(EVENT, rows={"s:a": edited})["s:a"].action is Action.EDITED_BY_OWNER
    assert decide(EVENT, rows={"s:a": edited}, mode=RunMode.REPLACE)["s:a"].action is Action.UPDATE
    newer = row("s:a", "archived", conflict_revision="older")
    assert decide(EVENT, rows={"s:a": newer})["s:a"].action is Action.UPDATE
    back = row("s:a", NOW, conflict_revision="older")
    assert decide(EVENT, rows={"s:a": back})["s:a"].action is Action.UNCHANGED


def test_replace_mode_rewrites_what_is_there_and_creates_only_what_never_was() -> None:
    gone = make_event("b", NOON + timedelta(hours=2))
    rows = {"s:a": row("s:a", NOW), "s:b": row("s:b", state=ArchivedEventState.REMOVED_BY_OWNER)}
    decided = decide(EVENT, gone, rows=rows, mode=RunMode.REPLACE)
    assert decided["s:a"].action is Action.UPDATE
    # Written to once more: whether it is really gone is seen then.
    assert decided["s:b"].action is Action.UPDATE


def twins(*names: str) -> list[SourceEvent]:
    return [make_event(name) for name in names]


def test_duplicates_are_archived_once_under_the_smallest_key() -> None:
    decided = decide(*twins("c", "a", "b"))
    assert decided["s:a"].action is Action.CREATE
    assert decided["s:b"] == Merge("s:b", NOW, "s:a")
    assert stands_for(decided["s:c"]) == "s:a"


def test_an_occurrence_may_be_a_duplicate_of_a_single_event() -> None:
    occurrence = make_occurrence("M", NOON)
    decided = decide(EVENT, occurrence)
    assert decided["s:a"].action is Action.MERGE
    assert stands_for(decided["s:a"]) == "o:M:2026-02-03"


def test_same_time_and_subject_but_other_content_is_archived_each() -> None:
    decided = decide(EVENT, make_event("b", body="other"), make_event("c", categories=("Beta - billable",)))
    assert {d.action for d in decided.values()} == {Action.CREATE}


@pytest.mark.parametrize(
    "state",
    [
        ArchivedEventState.PRESENT,
        ArchivedEventState.CREATING,
        ArchivedEventState.SOURCE_DELETED,
        ArchivedEventState.REMOVED_BY_OWNER,
    ],
)
def test_the_archived_one_represents_its_duplicates_whatever_its_key(state: ArchivedEventState) -> None:
    decided = decide(*twins("a", "b", "c"), rows={"s:c": row("s:c", NOW, state=state)})
    assert decided["s:c"].action is not Action.MERGE
    assert (stands_for(decided["s:a"]), stands_for(decided["s:b"])) == ("s:c", "s:c")


def test_duplicates_archived_each_before_stay_so_and_new_ones_join_the_smallest() -> None:
    decided = decide(*twins("a", "b", "c"), rows={"s:c": row("s:c", NOW), "s:b": row("s:b", NOW)})
    assert decided["s:b"].action is Action.UNCHANGED
    assert decided["s:c"].action is Action.UNCHANGED
    assert stands_for(decided["s:a"]) == "s:b"


def test_a_merged_event_stays_with_its_representative_and_writes_nothing() -> None:
    rows = {"s:b": row("s:b", NOW), "s:c": row("s:c", NOW), "s:a": merged_row("s:a", "s:c", NOW)}
    decision = decide(*twins("a", "b", "c"), rows=rows)["s:a"]
    assert decision == Merge("s:a", NOW, "s:c", changed=False)


def test_a_merged_event_with_another_location_stays_merged_and_is_recorded_again() -> None:
    rows = {"s:a": row("s:a", NOW), "s:b": merged_row("s:b", "s:a", NOW)}
    decision = decide(EVENT, make_event("b", location="Room 9"), rows=rows)["s:b"]
    assert (decision.action, stands_for(decision), changes(decision)) == (Action.MERGE, "s:a", True)


def test_a_merged_event_that_later_differs_is_archived_alone() -> None:
    rows = {"s:a": row("s:a", NOW), "s:b": merged_row("s:b", "s:a", NOW)}
    changed = make_event("b", body="minutes")
    decided = decide(EVENT, changed, rows=rows)
    assert decided["s:a"].action is Action.UNCHANGED
    assert decided["s:b"] == Create("s:b", revision(changed), formerly="s:a")


def test_when_the_representative_vanishes_the_next_one_may_take_over_its_copy() -> None:
    rows = {"s:b": merged_row("s:b", "s:gone", NOW), "s:c": merged_row("s:c", "s:gone", NOW)}
    decided = decide(*twins("a", "b", "c"), rows=rows)
    assert decided["s:b"] == Create("s:b", NOW, formerly="s:gone")
    assert stands_for(decided["s:a"]) == "s:b"
    assert decided["s:c"] == Merge("s:c", NOW, "s:b")


def test_a_merged_event_joins_another_archived_duplicate_when_its_own_vanishes() -> None:
    rows = {"s:a": merged_row("s:a", "s:gone", NOW), "s:b": row("s:b", NOW)}
    assert decide(*twins("a", "b"), rows=rows)["s:a"] == Merge("s:a", NOW, "s:b")


def test_the_last_version_of_a_key_that_comes_twice_is_decided_once() -> None:
    moved = replace(EVENT, start=NOON + timedelta(hours=1), end=NOON + timedelta(hours=2))
    assert decide(EVENT, moved)["s:a"].revision == revision(moved)
    assert plan(WINDOW, [[EVENT], [moved]]) == plan(WINDOW, [[EVENT, moved]])


def test_a_key_that_comes_again_after_its_decision_is_ignored() -> None:
    moved = make_event("a", NOON + timedelta(days=3))
    later = make_event("b", NOON + timedelta(days=3))
    for pages in ([[EVENT, later, moved]], [[EVENT], [later], [moved]]):
        decided = plan(WINDOW, pages)
        assert [(d.source_key, d.revision) for d in decided] == [("s:a", NOW), ("s:b", revision(later))]


def test_an_event_that_leaves_the_window_during_paging_is_not_seen_any_more() -> None:
    last_hour = make_event("a", WINDOW.end - timedelta(hours=1))
    planner = Planner(WINDOW)
    planner.feed([last_hour, make_event("a", WINDOW.end + timedelta(hours=1))], {})
    assert "s:a" not in planner.seen
    assert planner.close().decisions == []


def test_a_later_event_of_the_same_content_is_no_duplicate_of_one_that_moved_away() -> None:
    planner = Planner(WINDOW)
    planner.feed([EVENT, make_event("a", NOON + timedelta(hours=1)), make_event("b")], {})
    assert [d.action for d in planner.close().decisions] == [Action.CREATE, Action.CREATE]


def test_decisions_come_as_soon_as_no_duplicate_can_follow() -> None:
    planner = Planner(WINDOW)
    first = planner.feed([EVENT], {})
    assert (first.decisions, first.undecided) == ([], frozenset({"s:a"}))
    assert "s:a" in planner.seen
    late = make_event("b", NOON + timedelta(days=2))
    second = planner.feed([late], {})
    assert ([d.source_key for d in second.decisions], second.undecided) == (["s:a"], frozenset({"s:b"}))
    assert "s:a" in planner.seen
    rest = planner.close()
    assert ([d.source_key for d in rest.decisions], rest.undecided) == (["s:b"], frozenset())


def test_all_day_duplicates_are_found_though_graph_sorts_them_by_another_midnight() -> None:
    day = datetime(2026, 2, 4, tzinfo=UTC)
    tokyo = datetime(2026, 2, 3, 15, tzinfo=UTC)  # midnight of that day in Tokyo
    honolulu = datetime(2026, 2, 4, 10, tzinfo=UTC)
    timed = [make_event("t1", tokyo), make_event("t2", tokyo), make_event("u", honolulu)]
    events = [timed[0], make_all_day("d1", day), timed[1], timed[2], make_all_day("d2", day)]
    decided = decide(*events)
    assert stands_for(decided["s:t2"]) == "s:t1"
    assert stands_for(decided["s:d2"]) == "s:d1"


def test_an_event_read_by_its_id_is_decided_alone() -> None:
    planner = Planner(WINDOW)
    moved = make_event("a", WINDOW.end + timedelta(days=20))
    decision = planner.decide_single(moved, row("s:a", "old"))
    assert decision == Update("s:a", revision(moved))
    assert "s:a" in planner.seen
    assert planner.feed([EVENT], {}).decisions == []
    assert planner.close().decisions == []


def test_a_merged_event_read_by_its_id_is_archived_alone() -> None:
    decision = Planner(WINDOW).decide_single(EVENT, merged_row("s:a", "s:r", NOW))
    assert decision == Create("s:a", NOW, formerly="s:r")
    assert Planner(WINDOW).decide_single(EVENT, None) == Create("s:a", NOW)


def test_an_event_is_never_decided_by_page_and_by_id() -> None:
    planner = Planner(WINDOW)
    planner.feed([EVENT], {})
    with pytest.raises(ValueError, match="already"):
        planner.decide_single(EVENT, None)


def test_an_empty_calendar_plans_nothing() -> None:
    assert plan(WINDOW, []) == []
    assert plan(WINDOW, [[], []]) == []

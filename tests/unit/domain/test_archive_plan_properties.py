"""What holds for every calendar, every map and every cut into pages (domain.md 2.3, 2.9)."""

from collections.abc import Sequence
from copy import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.events.revision import duplicate_hash, revision
from shared.domain.events.source_event import SourceEvent, source_key
from shared.domain.planning.archive_plan import Decision, KnownEvent
from shared.domain.planning.decision import Action, Merge
from shared.domain.runs.archive_run import RunMode
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.runs.window import Window, local_day_start
from tests.unit.domain.map_model import MapRows, apply, changes, plan, stands_for
from tests.unit.domain.source_events import calendars

FIRST = datetime(2026, 3, 27, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Amsterdam")
WINDOW = Window(
    local_day_start(FIRST.date(), ZONE), local_day_start(FIRST.date() + timedelta(days=4), ZONE), ZONE
)

EVENTS = calendars(FIRST)
STATES = st.sampled_from(ArchivedEventState)


def as_set(decisions: Sequence[Decision]) -> set[Decision]:
    assert len(set(decisions)) == len(decisions)
    return set(decisions)


@st.composite
def maps(draw: st.DrawFn, events: Sequence[SourceEvent]) -> MapRows:
    """Any map over these events, also with rows that no run would have left together."""
    keys = [source_key(event) for event in events]
    rows: MapRows = {}
    for event, key in zip(events, keys, strict=True):
        state = draw(st.none() | STATES)
        if state is None:
            continue
        known = draw(st.sampled_from((revision(event), "old")))
        into = draw(st.sampled_from([*keys, "s:gone"])) if state is ArchivedEventState.MERGED else None
        rows[key] = KnownEvent(key, state, known, into, pending=draw(st.booleans()))
    return rows


@st.composite
def cut(draw: st.DrawFn, events: Sequence[SourceEvent]) -> list[Sequence[SourceEvent]]:
    """The events in pages, some of them empty."""
    edges = sorted(draw(st.lists(st.integers(0, len(events)), max_size=5)))
    return [events[a:b] for a, b in zip([0, *edges], [*edges, len(events)], strict=True)]


@settings(deadline=None, max_examples=120)
@given(data=st.data(), events=EVENTS, mode=st.sampled_from(RunMode))
def test_the_plan_does_not_depend_on_how_pages_are_cut(
    data: st.DataObject, events: list[SourceEvent], mode: RunMode
) -> None:
    rows = data.draw(maps(events))
    repeated = events + data.draw(st.lists(st.sampled_from(events), max_size=3)) if events else []
    assert plan(WINDOW, data.draw(cut(repeated)), rows, mode) == plan(WINDOW, [repeated], rows, mode)


@settings(deadline=None, max_examples=120)
@given(data=st.data(), events=EVENTS)
def test_the_plan_does_not_depend_on_the_order_within_a_day(
    data: st.DataObject, events: list[SourceEvent]
) -> None:
    rows = data.draw(maps(events))
    away = {event.id: timedelta(hours=data.draw(st.integers(-12, 13))) for event in events}
    shuffled = sorted(events, key=lambda event: event.start + away[event.id])
    assert as_set(plan(WINDOW, [shuffled], rows)) == as_set(plan(WINDOW, [events], rows))


@settings(deadline=None, max_examples=120)
@given(data=st.data(), events=EVENTS, mode=st.sampled_from(RunMode))
def test_each_event_of_the_window_is_decided_exactly_once(
    data: st.DataObject, events: list[SourceEvent], mode: RunMode
) -> None:
    decisions = plan(WINDOW, data.draw(cut(events)), data.draw(maps(events)), mode)
    owned = [source_key(event) for event in events if WINDOW.owns(event)]
    assert sorted(decision.source_key for decision in decisions) == sorted(owned)


@settings(deadline=None, max_examples=120)
@given(data=st.data(), events=EVENTS)
def test_every_merge_points_to_a_duplicate_that_is_archived_itself(
    data: st.DataObject, events: list[SourceEvent]
) -> None:
    groups = {source_key(event): duplicate_hash(event) for event in events}
    decisions = {d.source_key: d for d in plan(WINDOW, [events], data.draw(maps(events)))}
    for decision in decisions.values():
        if isinstance(decision, Merge):
            assert not isinstance(decisions[decision.representative], Merge)
            assert groups[decision.representative] == groups[decision.source_key]
        else:
            assert stands_for(decision) is None


@settings(deadline=None, max_examples=120)
@given(data=st.data(), events=EVENTS)
def test_no_archived_event_is_ever_merged_or_created_twice(
    data: st.DataObject, events: list[SourceEvent]
) -> None:
    rows = data.draw(maps(events))
    for decision in plan(WINDOW, [events], rows):
        known = rows.get(decision.source_key)
        if known is not None and (known.archived or known.state is ArchivedEventState.REMOVED_BY_OWNER):
            assert decision.action not in (Action.MERGE, Action.CREATE)


@settings(deadline=None, max_examples=120)
@given(data=st.data(), events=EVENTS)
def test_a_second_run_with_nothing_changed_writes_nothing(
    data: st.DataObject, events: list[SourceEvent]
) -> None:
    rows = data.draw(maps(events))
    after = apply(plan(WINDOW, [events], rows), rows)
    again = plan(WINDOW, data.draw(cut(events)), after)
    assert [d for d in again if changes(d)] == []
    assert {d.action for d in again} <= {Action.UNCHANGED, Action.MERGE, Action.REMOVED_BY_OWNER}
    assert apply(again, after) == after


@settings(deadline=None, max_examples=80)
@given(data=st.data(), events=calendars(FIRST, most=10))
def test_after_any_edits_a_run_leaves_each_event_archived_as_it_is_now(
    data: st.DataObject, events: list[SourceEvent]
) -> None:
    rows: MapRows = {}
    for _ in range(3):
        rows = apply(plan(WINDOW, [events], rows), rows)
        for event in filter(WINDOW.owns, events):
            known = rows[source_key(event)]
            assert known.revision == revision(event)
            if known.state is ArchivedEventState.MERGED:
                assert known.merged_into is not None
                assert rows[known.merged_into].state is ArchivedEventState.PRESENT
        events = [edited(data, event) for event in events if not data.draw(st.booleans())]
        events.sort(key=lambda event: event.start)


def edited(data: st.DataObject, event: SourceEvent) -> SourceEvent:
    return data.draw(
        st.sampled_from(
            (
                event,
                replace(event, body="minutes"),
                replace(event, location="Room 9"),
                replace(event, start=event.start + timedelta(hours=1), end=event.end + timedelta(hours=1)),
            )
        )
    )


@settings(deadline=None, max_examples=60)
@given(events=EVENTS)
def test_daily_windows_in_a_row_archive_what_one_long_window_does(events: list[SourceEvent]) -> None:
    rows: MapRows = {}
    for number in range(4):
        day = FIRST.date() + timedelta(days=number)
        window = Window(local_day_start(day, ZONE), local_day_start(day + timedelta(days=1), ZONE), ZONE)
        rows = apply(plan(window, [events], rows), rows)
    assert rows == apply(plan(WINDOW, [events]), {})


@settings(deadline=None, max_examples=60)
@given(data=st.data(), events=EVENTS)
def test_replace_mode_leaves_nothing_unchanged_and_deletes_nothing(
    data: st.DataObject, events: list[SourceEvent]
) -> None:
    actions = {d.action for d in plan(WINDOW, [events], data.draw(maps(events)), RunMode.REPLACE)}
    assert actions <= {Action.CREATE, Action.UPDATE, Action.MERGE}

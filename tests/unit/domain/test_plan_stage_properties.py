"""What holds for every calendar under every policy (domain.md 2-6)."""

from collections.abc import Sequence
from copy import replace
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.events.revision import revision
from shared.domain.events.source_event import SourceEvent, source_key
from shared.domain.overlaps.groups import Interval, may_overlap, overlap_groups
from shared.domain.overlaps.rules import OverlapPolicy, Verdict
from shared.domain.planning.archive_plan import Decision, KnownEvent, Planner
from shared.domain.planning.decision import Action, times_of
from shared.domain.planning.event_facts import EventFacts, event_facts
from shared.domain.planning.modifications import Meeting, Modification
from shared.domain.planning.policies import PlanPolicies
from shared.domain.planning.purpose import Purpose
from shared.domain.planning.read_event import ReadEvent
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.runs.window import Window, local_day_start
from tests.support.modifications import apply_modifications
from tests.unit.domain.map_model import MapRows, apply, changes, plan_all, reason_of, stands_for, store
from tests.unit.domain.source_events import busy_calendars, make_event, seen_by

ZONE = ZoneInfo("Europe/Amsterdam")


def days(first: date, count: int, zone: ZoneInfo = ZONE) -> Window:
    return Window(local_day_start(first, zone), local_day_start(first + timedelta(days=count), zone), zone)


# The middle day of the first has 23 hours, that of the second 25.
SPRING, AUTUMN = days(date(2026, 3, 28), 3), days(date(2026, 10, 24), 3)
FIRST = datetime(2026, 3, 28, tzinfo=UTC)
EVENTS = busy_calendars(FIRST)
POLICIES = st.builds(
    PlanPolicies,
    purpose=st.sampled_from(Purpose),
    overlap_policy=st.sampled_from(OverlapPolicy),
    all_day_counts=st.booleans(),
    privacy_automation=st.booleans(),
)


def pages_of(data: st.DataObject, events: Sequence[SourceEvent]) -> list[Sequence[SourceEvent]]:
    edges = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=4)))
    return [events[a:b] for a, b in zip([0, *edges], [*edges, len(events)], strict=True)]


def rows_of(data: st.DataObject, events: Sequence[SourceEvent]) -> MapRows:
    rows: MapRows = {}
    for event in events:
        state = data.draw(st.none() | st.sampled_from(ArchivedEventState))
        if state is not None:
            key = source_key(event)
            known = data.draw(st.sampled_from((revision(event), "old")))
            into = "s:gone" if state in (ArchivedEventState.MERGED, ArchivedEventState.CONSUMED) else None
            rows[key] = KnownEvent(
                key, state, known, into, pending=data.draw(st.booleans()), has_copy=data.draw(st.booleans())
            )
    return rows


@settings(deadline=None, max_examples=60)
@given(data=st.data(), events=EVENTS, policies=POLICIES)
def test_any_page_split_gives_the_same_plan(
    data: st.DataObject, events: list[SourceEvent], policies: PlanPolicies
) -> None:
    rows = rows_of(data, events)
    whole = plan_all(SPRING, [events], rows, policies=policies)
    assert plan_all(SPRING, pages_of(data, events), rows, policies=policies) == whole


@settings(deadline=None, max_examples=60)
@given(data=st.data(), events=EVENTS, policies=POLICIES)
def test_the_order_of_events_that_start_together_does_not_matter(
    data: st.DataObject, events: list[SourceEvent], policies: PlanPolicies
) -> None:
    shuffled = sorted(data.draw(st.permutations(events)), key=lambda event: event.start)
    assert plan_all(SPRING, [shuffled], policies=policies) == plan_all(SPRING, [events], policies=policies)


@settings(deadline=None, max_examples=60)
@given(data=st.data(), events=EVENTS, policies=POLICIES)
def test_every_event_of_the_window_has_exactly_one_outcome(
    data: st.DataObject, events: list[SourceEvent], policies: PlanPolicies
) -> None:
    result = plan_all(SPRING, [events], rows_of(data, events), policies=policies)
    owned = [source_key(event) for event in events if SPRING.owns(event)]
    assert sorted(d.source_key for d in result.decisions if not d.margin) == sorted(owned)
    for decision in result.decisions:
        if decision.margin:
            assert decision.action is Action.UPDATE
            assert decision.source_key not in owned


@settings(deadline=None, max_examples=60)
@given(data=st.data(), events=EVENTS, policies=POLICIES)
def test_the_plan_of_an_archived_window_is_empty(
    data: st.DataObject, events: list[SourceEvent], policies: PlanPolicies
) -> None:
    # Writes in flight are reconciled before the next plan. Until then two duplicates may both be created.
    rows = {key: replace(row, under_way=False) for key, row in rows_of(data, events).items()}
    first = plan_all(SPRING, [events], rows, policies=policies)
    rows, overlaps = apply(first.decisions, rows), store(first.groups, {})
    again = plan_all(SPRING, pages_of(data, events), rows, policies=policies, overlaps=overlaps)
    assert [d for d in again.decisions if changes(d)] == []
    assert [group for group in again.groups if group.changed] == []
    assert again.vanished_groups == frozenset()


@settings(deadline=None, max_examples=60)
@given(
    events=EVENTS,
    policies=POLICIES.filter(lambda policies: policies.overlap_policy is not OverlapPolicy.KEEP_ALL),
)
def test_no_minute_is_counted_twice_after_resolution(
    events: list[SourceEvent], policies: PlanPolicies
) -> None:
    by_key = {source_key(event): event for event in events}
    intervals = []
    for decision in plan_all(SPRING, [events], policies=policies).decisions:
        facts = event_facts(ReadEvent.of(by_key[decision.source_key]), ZONE, policies.travel_words)
        times = times_of(decision)
        start, end = (times.start, times.end) if times else (facts.start, facts.end)
        if decision.action is Action.CREATE and may_overlap(
            start,
            end,
            facts.show_as,
            is_all_day=facts.is_all_day,
            takes_place=facts.takes_place,
            all_day_counts=policies.all_day_counts,
        ):
            intervals.append(Interval(facts.key, start, end))
    assert not any(one.overlaps(other) for one, other in combinations(intervals, 2))


@settings(deadline=None, max_examples=60)
@given(events=EVENTS, policies=POLICIES)
def test_nothing_is_lost_without_a_word(events: list[SourceEvent], policies: PlanPolicies) -> None:
    result = plan_all(SPRING, [events], policies=policies)
    verdicts = {member.source_key: member.verdict for group in result.groups for member in group.members}
    dropped = {step.key for group in result.groups for step in group.log}
    for key, decision in result.by_key.items():
        if decision.action is Action.LEAVE_OUT:
            assert reason_of(decision) is not None
            assert (reason_of(decision) == "overlap_rule") == (key in dropped)
        if decision.action is Action.FLAG:
            assert verdicts[key] is Verdict.FLAGGED
        if decision.action is Action.CONSUME:
            assert stands_for(decision) in {source_key(event) for event in events}


@settings(deadline=None, max_examples=60)
@given(events=EVENTS)
def test_the_times_and_groups_are_those_of_the_whole_calendar_at_once(events: list[SourceEvent]) -> None:
    """The stages on everything at once, without a window, a stream or a map."""
    different: dict[bytes, EventFacts] = {}
    for event in events:
        facts = event_facts(ReadEvent.of(event), ZONE, ())
        different.setdefault(facts.duplicate, facts)
    standing = {facts.key: facts for facts in different.values()}
    meetings, changes = [], []
    for facts in standing.values():
        if facts.modifies:
            changes.append(
                Modification(facts.key, facts.modifies, facts.start, facts.end, facts.category_identities)
            )
        elif facts.may_meet:
            meetings.append(
                Meeting(facts.key, facts.start, facts.end, facts.start, facts.category_identities)
            )
    times, consumed = apply_modifications(meetings, changes)
    intervals = []
    for key, facts in standing.items():
        start, end = (times[key].start, times[key].end) if key in times else (facts.start, facts.end)
        if end > start and facts.may_meet and consumed.get(key) is None:
            intervals.append(Interval(key, start, end))
    expected = [tuple(part.key for part in group) for group in overlap_groups(intervals)]

    result = plan_all(SPRING, [events])
    for key, decision in result.by_key.items():
        if decision.action is Action.CONSUME:
            assert stands_for(decision) == consumed[key]
        elif (modified := times_of(decision)) is not None:
            assert (modified.start, modified.end) == (times[key].start, times[key].end)
        elif decision.action is Action.CREATE:
            assert key not in times or times[key].applied == ()
    owned = {source_key(event) for event in events if SPRING.owns(event)}
    found = [tuple(member.source_key for member in group.members) for group in result.groups]
    assert sorted(found) == sorted(group for group in expected if owned & set(group))


@settings(deadline=None, max_examples=60)
@given(events=EVENTS)
def test_nights_in_a_row_archive_what_one_long_run_does(events: list[SourceEvent]) -> None:
    rows: MapRows = {}
    for number in range(3):
        window = days(date(2026, 3, 28) + timedelta(days=number), 1)
        rows = apply(plan_all(window, [seen_by(window, events)], rows).decisions, rows)
    long = apply(plan_all(SPRING, [seen_by(SPRING, events)]).decisions, {})
    assert revisions(rows) == revisions(long)


def revisions(rows: MapRows) -> dict[str, tuple[str, str, str | None]]:
    return {key: (row.state, row.revision, row.merged_into) for key, row in rows.items()}


@settings(deadline=None, max_examples=60)
@given(events=busy_calendars(datetime(2026, 10, 24, tzinfo=UTC)), policies=POLICIES)
def test_a_day_of_25_hours_loses_nothing(events: list[SourceEvent], policies: PlanPolicies) -> None:
    long = plan_all(AUTUMN, [events], policies=policies)
    assert len(long.decisions) == sum(map(AUTUMN.owns, events))
    parts = [days(date(2026, 10, 24) + timedelta(days=number), 1) for number in range(3)]
    keys = [d.source_key for part in parts for d in plan_all(part, [events], policies=policies).decisions]
    assert sorted(keys) == sorted(long.by_key)


def many(count: int) -> list[SourceEvent]:
    """Half an hour every 45 minutes, every tenth overlapping, some extended."""
    start = SPRING.start
    return [
        make_event(
            f"e{number:05}",
            start + timedelta(minutes=45 * number),
            1 if number % 10 == 0 else 0.5,
            subject="Extended" if number % 50 == 1 else f"Meeting {number}",
            body="",
            categories=(),
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("policy", OverlapPolicy)
@pytest.mark.parametrize("count", [0, 1, pytest.param(50_000, marks=pytest.mark.slow)])
def test_any_number_of_events_is_planned_and_few_are_held(count: int, policy: OverlapPolicy) -> None:
    window = Window(SPRING.start, SPRING.start + timedelta(minutes=45 * count + 1), ZONE)
    planner = Planner(window, policies=PlanPolicies(overlap_policy=policy))
    events, decisions, held = many(count), list[Decision](), 0
    for first in range(0, count, 1000):
        decided = planner.feed(events[first : first + 1000], {})
        decisions += decided.decisions
        held = max(held, len(decided.undecided))
    decisions += planner.close().decisions
    assert len({d.source_key for d in decisions}) == len(decisions) == count
    assert held < 50

"""Which new events are meetings that have a copy already (domain.md 2.16)."""

from copy import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.events.source_event import Participant
from shared.domain.planning.meeting_facts import GoneRow, MeetingFacts, meeting_facts, title_key
from shared.domain.planning.same_meeting import (
    Doubt,
    Matching,
    MatchStep,
    Pair,
    closest,
    match_meetings,
    possible_predecessors,
)
from tests.unit.domain.source_events import NOON, make_all_day, make_event, make_occurrence

HOUR = timedelta(hours=1)
ZONE = ZoneInfo("Europe/Amsterdam")


def facts(key: str, event: Any = None, **changes: Any) -> MeetingFacts:
    """The facts of a single event of an hour, or of the event given."""
    return meeting_facts(event or make_event(key, **changes), key, ZONE)


def gone(found: MeetingFacts, *, counts: bool = True, known: bool = True, longer: int = 0) -> GoneRow:
    """A row whose source is gone."""
    return GoneRow(found, counts, found.start, found.end + longer * HOUR, known)


def occurrence(key: str, series: str, start: datetime = NOON, **changes: Any) -> MeetingFacts:
    """The facts of an occurrence in its slot, unless it says otherwise."""
    return meeting_facts(make_occurrence(series, start, **changes), key, ZONE)


def test_the_same_invitation_at_the_same_slot_is_the_same_meeting_whatever_it_says() -> None:
    row = gone(facts("old", ical_uid="uid"))
    new = facts("new", ical_uid="uid", subject="Renamed", organizer=None)
    assert match_meetings([row], [new], ()) == Matching((Pair("old", "new", MatchStep.SAME_INVITATION),))
    moved = facts("new", ical_uid="uid", start=NOON + 30 * HOUR, subject="Renamed")
    assert match_meetings([row], [moved], ()).empty


def test_a_split_series_continues_in_its_successor_but_only_where_it_ended() -> None:
    row = gone(occurrence("old", "M1"))
    new = occurrence("new", "M2", start=NOON, subject=" DESIGN review ")
    moved = occurrence("moved", "M2", start=NOON + HOUR)
    assert match_meetings([row], [moved], {"old"}).pairs == (Pair("old", "moved", MatchStep.SUCCESSOR),)
    assert possible_predecessors([row], [new]) == {"old"}
    assert match_meetings([row], [moved], ()).pairs == ()
    assert match_meetings([row], [moved], ()).doubts == (Doubt(("old",), ("moved",)),)
    assert match_meetings([row], [occurrence("new", "M2", NOON + 24 * HOUR)], {"old"}).empty


def test_a_copy_that_a_former_duplicate_takes_over_is_matched_only_if_that_is_certain() -> None:
    row = replace(gone(facts("old")), only_certain=True)
    assert match_meetings([row], [facts("new", start=NOON + 2 * HOUR)], ()).empty
    assert match_meetings([row], [facts("new", subject="Visit")], ()).empty
    assert match_meetings([row], [facts("new")], ()).pairs == (Pair("old", "new", MatchStep.ENTERED_AGAIN),)
    # Of two that are equal, the one whose meeting is gone comes first.
    found = match_meetings([row, gone(facts("vanished"))], [facts("new")], ())
    assert found == Matching((Pair("vanished", "new", MatchStep.ENTERED_AGAIN),))


def test_what_is_entered_again_by_hand_is_the_same_meeting() -> None:
    again = facts("new", ical_uid="another", body="Other", location="Elsewhere")
    assert match_meetings([gone(facts("old"))], [again], ()).pairs == (
        Pair("old", "new", MatchStep.ENTERED_AGAIN),
    )
    longer = facts("new", hours=2)
    assert match_meetings([gone(facts("old"))], [longer], ()).doubts == (Doubt(("old",), ("new",)),)


def test_of_equal_rows_those_that_count_come_first_and_the_others_stay() -> None:
    rows = [gone(facts(key), counts=key == "c") for key in "abc"]
    assert match_meetings(rows, [facts("new")], ()).pairs == (Pair("c", "new", MatchStep.ENTERED_AGAIN),)
    two = match_meetings(rows, [facts("x"), facts("y")], ()).pairs
    assert two == (Pair("a", "x", MatchStep.ENTERED_AGAIN), Pair("c", "y", MatchStep.ENTERED_AGAIN))


def test_the_same_subject_on_the_same_local_day_is_a_doubt() -> None:
    row = gone(facts("old", start=NOON.replace(hour=23, minute=30), subject="Call"))
    same_day = facts("new", start=NOON.replace(day=4, hour=9), subject="call")
    assert match_meetings([row], [same_day], ()).doubts == (Doubt(("old",), ("new",)),)
    for other in (
        {"start": NOON},
        {"start": same_day.start, "organizer": None},
        {"start": same_day.start, "show_as": "free"},
        {"start": same_day.start, "is_cancelled": True},
    ):
        assert match_meetings([row], [facts("new", **{"subject": "Call"} | other)], ()).empty
    nameless = gone(facts("old", subject="", start=NOON + 9 * HOUR))
    assert match_meetings([nameless], [facts("new", subject="")], ()).empty


def test_what_waits_without_a_copy_is_the_same_meeting_at_another_time_of_the_day() -> None:
    row = waiting(facts("old"))
    later = facts("new", start=NOON + 3 * HOUR)
    assert match_meetings([row], [later], ()).pairs == (Pair("old", "new", MatchStep.NOT_ARCHIVED_YET),)
    assert match_meetings([gone(facts("old"), counts=False)], [later], ()).empty
    archived = gone(facts("archived"))
    found = match_meetings([row, archived], [later], ())
    assert (found.pairs, found.doubts) == ((), (Doubt(("archived",), ("new",)),))


def test_what_was_entered_late_within_a_day_is_a_doubt_under_the_same_subject() -> None:
    row = gone(facts("old"))
    late = replace(facts("new", start=NOON + 24 * HOUR), late=True)
    assert match_meetings([row], [late], ()).doubts == (Doubt(("old",), ("new",)),)
    assert match_meetings([row], [replace(late, late=False)], ()).empty
    assert match_meetings([row], [replace(late, start=NOON + 25 * HOUR)], ()).empty
    assert match_meetings([row], [replace(late, title="other")], ()).empty
    assert match_meetings([gone(facts("old"), counts=False)], [late], ()).empty
    # A series that moved by a day is asked about as a series.
    moved = replace(occurrence("new", "M1", NOON + 24 * HOUR), late=True)
    assert match_meetings([gone(occurrence("old", "M1"))], [moved], ()).empty


def waiting(found: MeetingFacts) -> GoneRow:
    """A row whose source is gone and whose overlap is undecided."""
    return replace(gone(found, counts=False), waits=True)


def test_what_waits_without_a_copy_continues_in_what_takes_its_time() -> None:
    row = waiting(occurrence("old", "M1"))
    renamed = occurrence("new", "M2", subject="Renamed")
    assert match_meetings([row], [renamed], ()).pairs == (Pair("old", "new", MatchStep.NOT_ARCHIVED_YET),)
    assert match_meetings([row], [occurrence("new", "M2", NOON + HOUR, subject="Renamed")], ()).empty
    archived = gone(facts("archived", subject="Other"))
    found = match_meetings([row, archived], [renamed], ())
    assert (found.pairs, found.doubts) == ((), (Doubt(("archived",), ("new",)),))


def test_what_waits_without_a_copy_continues_where_its_series_moved_it() -> None:
    day = 24 * HOUR
    rows = [waiting(occurrence(f"r{n}", "M1", NOON + n * day)) for n in range(2)]
    moved = [occurrence(f"n{n}", "M1", NOON + (n + 2) * day, subject="Renamed") for n in range(2)]
    found = match_meetings(rows, moved, ())
    assert {(pair.row, pair.event) for pair in found.pairs} == {("r1", "n0"), ("r0", "n1")}
    assert match_meetings(rows[:1], [occurrence("n", "M1", NOON + 8 * day)], ()).empty
    assert match_meetings(rows[:1], [occurrence("n", "M2", NOON + 2 * day)], ()).empty
    assert match_meetings([gone(rows[0].facts)], moved, ()).empty
    # The same holds for days that are new in a changed series.
    added = [replace(each, added=True) for each in moved]
    assert match_meetings(rows, added, ()) == found
    assert match_meetings(rows[:1], [replace(added[0], series="M2")], ()).empty


def test_a_modification_entered_again_is_the_same_with_any_organizer() -> None:
    row = gone(facts("old", subject="Extended"))
    new = facts("new", subject="Extended", organizer=None)
    assert match_meetings([row], [new], ()).pairs == (Pair("old", "new", MatchStep.ENTERED_AGAIN),)


def test_three_calls_of_which_two_come_again_at_other_times_are_two_doubts() -> None:
    rows = [gone(facts(f"r{n}", start=NOON + n * HOUR, hours=0.5, subject="Call")) for n in range(3)]
    new = [facts(f"n{n}", start=NOON + n * HOUR + HOUR / 2, hours=0.5, subject="Call") for n in range(2)]
    assert match_meetings(rows, new, ()).doubts == (Doubt(("r0",), ("n0",)), Doubt(("r1",), ("n1",)))


def test_of_three_calls_the_one_whose_time_another_event_takes_is_asked_about_with_that_one() -> None:
    rows = [gone(facts(str(number), start=NOON + 2 * number * HOUR)) for number in range(3)]
    calls = [facts(f"again {number}", start=NOON + (2 * number + 1) * HOUR) for number in (1, 2)]
    renamed = facts("renamed", subject="Planning")
    found = match_meetings(rows, [*calls, renamed], ())
    assert found.doubts == (
        Doubt(("0",), ("renamed",)),
        Doubt(("1",), ("again 1",)),
        Doubt(("2",), ("again 2",)),
    )
    # With a third call nothing is left for another subject, so that one is new.
    third = facts("again 0", start=NOON - HOUR)
    assert Doubt(("0",), ("again 0",)) in match_meetings(rows, [third, *calls, renamed], ()).doubts


def test_another_event_in_the_time_of_a_copy_that_counts_is_a_doubt() -> None:
    row = gone(facts("old"), longer=1)
    inside = facts("new", start=NOON + HOUR, hours=0.5, subject="Something else")
    assert match_meetings([row], [inside], ()).doubts == (Doubt(("old",), ("new",)),)
    assert match_meetings([gone(facts("old"), counts=False)], [inside], ()).empty
    touching = facts("new", start=NOON + 2 * HOUR, subject="Something else")
    assert match_meetings([row], [touching], ()).empty
    whole_day = meeting_facts(make_all_day("d", NOON, subject="Fair"), "d", ZONE)
    assert match_meetings([row], [whole_day], ()).empty


def test_another_event_without_length_at_the_same_instant_is_a_doubt() -> None:
    row, other = gone(facts("old", hours=0)), facts("new", hours=0, subject="Something else")
    assert match_meetings([row], [other], ()).doubts == (Doubt(("old",), ("new",)),)
    assert match_meetings([waiting(row.facts)], [other], ()).pairs[0].step is MatchStep.NOT_ARCHIVED_YET
    later = facts("new", start=NOON + HOUR, hours=0, subject="Something else")
    assert match_meetings([row], [later], ()).empty
    assert match_meetings([gone(facts("old"))], [other], ()).empty


def test_of_what_hangs_together_as_many_events_wait_as_there_are_rows() -> None:
    rows = [gone(facts("r", hours=3))]
    new = [facts(f"n{n}", start=NOON + n * HOUR, subject=f"Other {n}") for n in range(3)]
    assert match_meetings(rows, new, ()).doubts == (Doubt(("r",), ("n0",)),)


def test_a_row_without_a_record_is_known_by_its_invitation_alone() -> None:
    bare = gone(facts("old", ical_uid="uid"), counts=False, known=False)
    assert match_meetings([bare], [facts("new")], {"old"}).empty
    assert match_meetings([bare], [facts("new", ical_uid="uid")], ()).pairs[0].row == "old"


def test_titles_are_compared_trimmed_folded_and_composed() -> None:
    assert title_key(" CAFE\u0301 ") == title_key("café")


SUBJECTS = ("Call", "Review", "Extended", "")


@st.composite
def meetings(draw: st.DrawFn, name: str) -> list[MeetingFacts]:
    """Few subjects, few times: nearly everything looks like something else."""
    found = []
    for number in range(draw(st.integers(0, 7))):
        start = NOON + draw(st.integers(0, 5)) * HOUR / 2
        changes: dict[str, Any] = {
            "subject": draw(st.sampled_from(SUBJECTS)),
            "ical_uid": draw(st.sampled_from(("", "u1", "u2"))),
            "show_as": draw(st.sampled_from(("busy", "busy", "free"))),
        }
        key = f"{name}{number}"
        series = draw(st.sampled_from((None, None, "M1", "M2")))
        event = make_occurrence(series, start, **changes) if series else make_event(key, start, **changes)
        found.append(meeting_facts(event, key, ZONE))
    return found


@pytest.mark.slow
@given(old=meetings("r"), new=meetings("e"), flags=st.lists(st.booleans(), min_size=21), seed=st.randoms())
def test_whatever_the_order_each_is_matched_at_most_once_and_as_the_steps_say(
    old: list[MeetingFacts], new: list[MeetingFacts], flags: list[bool], seed: Any
) -> None:
    rows = [gone(each, counts=flags[n], known=flags[7 + n]) for n, each in enumerate(old)]
    ended = {each.key for n, each in enumerate(old) if flags[14 + n]}
    found = match_meetings(rows, new, ended)
    assert found == match_meetings(seed.sample(rows, len(rows)), seed.sample(new, len(new)), ended)
    taken = [pair.row for pair in found.pairs] + [key for doubt in found.doubts for key in doubt.rows]
    used = [pair.event for pair in found.pairs] + [key for doubt in found.doubts for key in doubt.events]
    assert len(taken) == len(set(taken))
    assert len(used) == len(set(used))
    by_key = {row.facts.key: row for row in rows}
    events = {each.key: each for each in new}
    for pair in found.pairs:
        row, event = by_key[pair.row], events[pair.event]
        same_meeting = {
            MatchStep.SAME_INVITATION: (row.facts.ical_uid, row.facts.slot) == (event.ical_uid, event.slot),
            MatchStep.SUCCESSOR: pair.row in ended and row.facts.original_date == event.original_date,
            MatchStep.ENTERED_AGAIN: (row.facts.start, row.facts.end) == (event.start, event.end),
        }
        assert same_meeting[pair.step]
        assert pair.step is MatchStep.SAME_INVITATION or (row.known and row.facts.title == event.title)
    for doubt in found.doubts:
        assert 0 < len(doubt.events) <= len(doubt.rows)
        assert all(by_key[key].counts and by_key[key].known for key in doubt.rows)
    # Of a series, the old one or the new one, there is one question at most.
    series = [
        {
            each.series
            for each in (*(by_key[key].facts for key in doubt.rows), *(events[key] for key in doubt.events))
        }
        - {None}
        for doubt in found.doubts
    ]
    assert sum(map(len, series)) == len(set().union(*series))
    # Waiting events keep waiting.
    waiting = {key for doubt in found.doubts for key in doubt.events}
    assert match_meetings(rows, new, ended, waiting) == found
    # Nothing that a sure step would have paired is left on both sides.
    left = [row for row in rows if row.facts.key not in taken]
    rest = [each for each in new if each.key not in used]
    assert match_meetings(left, rest, ended).pairs == ()


def test_an_event_that_waits_already_keeps_waiting_when_another_one_comes_before() -> None:
    row = gone(facts("old", subject="One"))
    first = facts("first", subject="Two", start=NOON - HOUR / 2)
    second = facts("second", subject="Three", start=NOON + HOUR / 2)
    assert match_meetings([row], [first, second], ()).doubts == (Doubt(("old",), ("first",)),)
    assert match_meetings([row], [first, second], (), {"second"}).doubts == (Doubt(("old",), ("second",)),)


def test_what_waits_does_not_take_a_copy_from_another_that_waits() -> None:
    rows = [gone(facts("call", subject="Call", start=NOON + 2 * HOUR)), gone(facts("visit", subject="Visit"))]
    earlier = facts("earlier", subject="Call", start=NOON - 2 * HOUR)
    between = facts("between", subject="Lunch", start=NOON + HOUR / 2, hours=2)
    asked = match_meetings(rows, [earlier, between], ())
    assert asked.doubts == (Doubt(("call",), ("earlier",)), Doubt(("visit",), ("between",)))
    assert match_meetings(rows, [earlier, between], (), {"earlier", "between"}) == asked
    # It keeps its time all the same if it would wait no more: this one is new.
    assert match_meetings(rows[:1], [between], ()).doubts == (Doubt(("call",), ("between",)),)
    found = match_meetings(rows[:1], [earlier, between], (), {"between"})
    assert found.doubts == (Doubt(("call",), ("between",)),)


def test_what_starts_with_a_copy_is_asked_about_before_what_merely_overlaps_it() -> None:
    row = gone(facts("old", subject="One"))
    longer = facts("longer", subject="Two", start=NOON - HOUR / 2)
    invited_again = facts("again", subject="One", organizer=Participant("Carla", "carla@contoso.example"))
    found = match_meetings([row], [longer, invited_again], (), {"longer", "again"})
    assert found.doubts == (Doubt(("old",), ("again",)),)


def test_doubts_about_one_series_are_one_question() -> None:
    days = [timedelta(days=number) for number in range(3)]
    rows = [gone(occurrence(f"r{day.days}", "M1", NOON + day)) for day in days]
    new = [facts(f"n{day.days}", subject="Other", start=NOON + day) for day in days]
    assert match_meetings(rows, new, ()).doubts == (Doubt(("r0", "r1", "r2"), ("n0", "n1", "n2")),)


STARTS = st.lists(st.integers(0, 8).map(lambda hours: NOON + hours * HOUR), max_size=6)


@given(old=STARTS, new=STARTS, seed=st.randoms())
def test_the_closest_are_paired_as_many_as_there_can_be_whatever_the_order(
    old: list[datetime], new: list[datetime], seed: Any
) -> None:
    rows = [(f"r{number}", start) for number, start in enumerate(old)]
    events = [(f"e{number}", start) for number, start in enumerate(new)]
    found = closest(rows, events)
    assert found == closest(seed.sample(rows, len(rows)), seed.sample(events, len(events)))
    assert len(found) == len(set(found.values())) == min(len(rows), len(events))
    nearest = min((abs(a - b) for _, a in rows for _, b in events), default=None)
    starts = dict((*rows, *events))
    assert nearest is None or nearest == min(abs(starts[row] - starts[new]) for row, new in found.items())


def test_facts_of_an_occurrence_name_its_slot_and_its_date() -> None:
    late = make_occurrence("M", datetime(2026, 2, 3, 23, 30, tzinfo=UTC), start=NOON)
    found = meeting_facts(late, "k", ZONE)
    assert (found.slot.hour, str(found.original_date), str(found.day)) == (23, "2026-02-04", "2026-02-03")


def test_what_takes_the_time_of_a_copy_waits_before_what_has_its_subject_elsewhere() -> None:
    early, late = gone(facts("early")), gone(facts("late", start=NOON + 5 * HOUR))
    others = [facts("x", start=NOON + 2 * HOUR), facts("y", start=NOON + 3 * HOUR)]
    carla = Participant("carla@example.test", "Carla")
    for there in (
        facts("there", start=NOON + 5 * HOUR, organizer=carla),
        facts("there", start=NOON + 5.5 * HOUR),
    ):
        found = match_meetings([early, late], [*others, there], ()).doubts
        assert found == (Doubt(("early",), ("x",)), Doubt(("late",), ("there",)))
    next_day = replace(facts("x", start=NOON + 24 * HOUR), late=True)
    there = facts("there", organizer=carla)
    assert match_meetings([early], [next_day, there], ()).doubts == (Doubt(("early",), ("there",)),)


def test_what_takes_the_time_of_a_copy_under_another_subject_does_not_wait_before_the_same_one() -> None:
    row, moved = gone(facts("old")), facts("moved", start=NOON + 3 * HOUR)
    other = facts("other", subject="Other")
    assert match_meetings([row], [moved, other], ()).doubts == (Doubt(("old",), ("moved",)),)
    # An event that waits already goes first, unless another copy has its subject.
    kept = match_meetings([row], [moved, other], (), {"other"})
    assert kept.doubts == (Doubt(("old",), ("other",)),)
    of_other = gone(facts("of other", subject="Other", start=NOON - 3 * HOUR))
    both = match_meetings([row, of_other], [moved, other], (), {"other"})
    assert both.doubts == (Doubt(("of other",), ("other",)), Doubt(("old",), ("moved",)))

"""One question for a changed series, asked once for each change (domain.md 2.17)."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.planning.series_reset import (
    Dated,
    Difference,
    Judgement,
    KnownReset,
    Occurrence,
    ResetStep,
    Span,
    Standing,
    judge,
    of_predecessor,
    outlasting,
    shape_of,
    take_series,
    takes,
)
from tests.unit.domain.source_events import make_all_day, make_occurrence

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
WEEK = Span(MONDAY - 9 * HOUR, MONDAY - 9 * HOUR + 7 * DAY)
NEXT_WEEK = Span(WEEK.end, WEEK.end + 7 * DAY)
TEN, ELEVEN = "UTC|10:00:00", "UTC|11:00:00"


def moved(day: int, hours: int = 1) -> Difference:
    """A meeting of nine o'clock that the series shows later."""
    start = MONDAY + day * DAY
    now = Occurrence(f"o:s:{day}", start + hours * HOUR, start + hours * HOUR + HOUR)
    return Difference(Occurrence(f"o:s:{day}", start, start + HOUR), now)


def gone(day: int) -> Difference:
    """A meeting that the series does not show any more."""
    return Difference(moved(day).archived, None)


def invented(day: int) -> Difference:
    """A day that was archived without the series."""
    return Difference(None, moved(day, 0).now)


def asked(judgement: Judgement, standing: Standing = Standing.OPEN) -> KnownReset:
    """The item as it is then."""
    assert judgement.seen is not None
    return KnownReset(standing, judgement.shape, judgement.seen, judgement.differences)


def test_nothing_that_differs_asks_nothing() -> None:
    assert judge(None, TEN, WEEK, []).step is ResetStep.NOTHING
    assert judge(None, TEN, WEEK, [gone(1)]).step is ResetStep.NOTHING


def test_one_item_grows_with_the_windows_and_closes_when_the_series_is_as_before() -> None:
    first = judge(None, TEN, WEEK, [moved(2), moved(1)])
    assert (first.step, first.differences) == (ResetStep.OPEN, (moved(1), moved(2)))
    assert judge(asked(first), TEN, WEEK, [moved(1), moved(2)]).step is ResetStep.NOTHING
    second = judge(asked(first), TEN, NEXT_WEEK, [moved(8)])
    assert (second.step, len(second.differences)) == (ResetStep.REFRESH, 3)
    third = judge(asked(second), None, WEEK, [])
    assert (third.step, third.differences) == (ResetStep.REFRESH, (moved(8),))
    assert judge(asked(third), None, NEXT_WEEK, []).step is ResetStep.CLOSE


def test_an_open_item_shows_the_latest_change_alone() -> None:
    first = judge(None, TEN, WEEK, [moved(1), moved(2)])
    again = judge(asked(first), ELEVEN, WEEK, [moved(1, 2)])
    assert (again.step, again.shape, again.differences) == (ResetStep.REFRESH, ELEVEN, (moved(1, 2),))


def test_what_was_decided_is_asked_again_only_when_the_series_changes_again() -> None:
    kept = asked(judge(None, TEN, WEEK, [moved(1)]), Standing.KEPT)
    assert judge(kept, TEN, WEEK, [moved(1)]).step is ResetStep.NOTHING
    assert judge(kept, None, WEEK, []).step is ResetStep.NOTHING
    assert judge(kept, TEN, WEEK, [moved(1), gone(3)]).step is ResetStep.NOTHING
    assert judge(kept, ELEVEN, WEEK, [moved(1, 2)]).step is ResetStep.REOPEN
    assert judge(kept, TEN, WEEK, [moved(1), invented(4)]).step is ResetStep.REOPEN
    more = judge(kept, TEN, NEXT_WEEK, [moved(8)])
    assert (more.step, more.differences) == (ResetStep.EXTEND, (moved(1), moved(8)))


def test_the_answer_is_about_what_was_shown_and_more_of_the_same() -> None:
    item = judge(None, TEN, WEEK, [moved(1), gone(2)])
    taken = asked(item, Standing.TAKEN)
    assert takes(taken, TEN, moved(1))
    assert takes(taken, None, gone(2))
    assert takes(taken, TEN, moved(8))
    assert not takes(taken, TEN, moved(3))
    assert not takes(taken, ELEVEN, moved(1))
    assert not takes(taken, TEN, moved(1, 2))
    assert not takes(asked(item, Standing.KEPT), TEN, moved(1))


def test_an_answer_holds_for_what_it_covered_until_that_is_written() -> None:
    taken = asked(judge(None, TEN, WEEK, [moved(1)]), Standing.TAKEN)
    more = judge(taken, TEN, NEXT_WEEK, [], [moved(8)])
    assert (more.step, more.differences) == (ResetStep.EXTEND, (moved(1), moved(8)))
    known = asked(more, Standing.TAKEN)
    assert takes(known, TEN, moved(8))
    assert judge(known, TEN, NEXT_WEEK, [], [moved(8)]).step is ResetStep.NOTHING
    assert judge(known, TEN, NEXT_WEEK, [moved(9)], [moved(8)]).step is ResetStep.REOPEN


def test_a_day_that_went_again_keeps_one_copy_unless_another_day_is_there() -> None:
    old, keys = [gone(2), gone(1), gone(3)], [f"o:s:{day}" for day in (1, 2, 3)]
    assert outlasting(old, {"a": True}) == set()
    assert outlasting(old, {"a": False}) == {keys[0]}
    assert outlasting(old, {"a": False, "b": True, "c": False}) == {keys[0], keys[1]}
    assert outlasting(old, {"a": False, "b": True, "c": True, "d": True}) == set()
    assert outlasting(old, dict.fromkeys("abcd", False)) == set(keys)


def test_the_shape_is_that_of_every_date_of_a_series() -> None:
    summer = MONDAY.replace(month=7)
    zone = {"start_zone": "W. Europe Standard Time"}
    winter_shape = shape_of(make_occurrence("s", MONDAY, **zone))
    # Nine o'clock in winter is an hour earlier in UTC in summer.
    assert shape_of(make_occurrence("s", summer - HOUR, **zone)) == winter_shape
    assert shape_of(make_occurrence("s", MONDAY + HOUR, **zone)) != winter_shape
    assert shape_of(make_occurrence("s", MONDAY, show_as="free", **zone)) != winter_shape
    custom = {"start_zone": "tzone://Microsoft/Custom"}
    assert shape_of(make_occurrence("s", MONDAY, **custom)) == shape_of(
        make_occurrence("s", summer, **custom)
    )
    assert shape_of(make_all_day("a", MONDAY)) == shape_of(make_all_day("b", MONDAY + DAY))


def test_of_a_split_series_only_what_lies_behind_its_end_belongs_to_the_successor() -> None:
    row = [Dated(f"r{day}", (MONDAY + day * DAY).date(), MONDAY + day * DAY) for day in range(5)]
    assert of_predecessor([row[1], row[3], row[4]], {row[0].day, row[2].day}) == [row[3], row[4]]
    assert of_predecessor([row[0]], ()) == [row[0]]


instants = st.integers(0, 5 * 24).map(lambda hours: MONDAY + hours * HOUR)


def dated(prefix: str) -> st.SearchStrategy[list[Dated]]:
    def named(starts: list[datetime]) -> list[Dated]:
        return [Dated(f"{prefix}{n}", start.date(), start) for n, start in enumerate(starts)]

    return st.lists(instants, max_size=12).map(named)


@given(dated("r"), dated("e"))
def test_each_row_and_each_event_is_taken_once_and_pairs_share_a_date(
    rows: list[Dated], events: list[Dated]
) -> None:
    taken = take_series(rows, events)
    days = {each.key: each.day for each in [*rows, *events]}
    paired = [key for pair in taken for key in pair]
    assert len(paired) == len(set(paired))
    assert all(days[row] == days[event] for row, event in taken)
    # Nothing is superseded on a date that something is created on: exactly one copy counts per meeting.
    alone = [{each.day for each in side if each.key not in paired} for side in (rows, events)]
    assert not alone[0] & alone[1]
    assert take_series(reversed(rows), reversed(events)) == taken


@given(
    st.lists(st.tuples(st.sets(st.integers(0, 6)), st.sampled_from([1, 2])), min_size=1, max_size=6),
    st.sampled_from(list(Standing)),
)
def test_a_plan_that_sees_the_same_again_changes_nothing(
    changes: list[tuple[set[int], int]], standing: Standing
) -> None:
    known: KnownReset | None = None
    for days, hours in changes:
        shape = f"shape {hours}"
        found = [moved(day, hours) for day in days]
        judgement = judge(known, shape, WEEK, found)
        if judgement.step is ResetStep.CLOSE:
            known = None
        elif judgement.step is not ResetStep.NOTHING:
            known = asked(judgement, standing)
        again = judge(known, shape, WEEK, found)
        assert again.step is ResetStep.NOTHING
        if known is not None and known.standing is Standing.OPEN:
            assert set(known.differences) == set(found)

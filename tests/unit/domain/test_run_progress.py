"""How far a run is."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.runs.run_progress import (
    FINISHING,
    LONGEST_PAUSE,
    SHORTEST_PAUSE,
    WRITING_BEGINS,
    applying_percent,
    ask_again_seconds,
    planning_percent,
)


@given(st.integers(0, 10**6), st.lists(st.integers(0, 10**6), min_size=2))
def test_writing_never_goes_down_and_stays_between_planning_and_finishing(
    planned: int, done: list[int]
) -> None:
    figures = [applying_percent(planned, count) for count in sorted(done)]
    assert figures == sorted(figures)
    assert WRITING_BEGINS <= figures[0] <= figures[-1] < FINISHING


@given(st.lists(st.floats(-2, 2), min_size=2))
def test_planning_never_goes_down_and_ends_where_writing_begins(fractions: list[float]) -> None:
    figures = [planning_percent(fraction) for fraction in sorted(fractions)]
    assert figures == sorted(figures)
    assert 0 < figures[0] <= figures[-1] <= WRITING_BEGINS


@pytest.mark.parametrize(
    ("elapsed", "percent", "seconds"),
    [(0, 0, 1), (5, 0, 1), (10, 50, 10), (12, 80, 3), (60, 99, 1), (60, 10, 30), (3600, 1, 30)],
)
def test_a_caller_that_waits_for_a_run_is_told_when_it_may_be_over(
    elapsed: int, percent: int, seconds: int
) -> None:
    assert ask_again_seconds(timedelta(seconds=elapsed), percent) == seconds


@given(st.timedeltas(timedelta(-1), timedelta(10)), st.integers(0, 100))
def test_the_pause_is_bounded_whatever_the_clocks_say(elapsed: timedelta, percent: int) -> None:
    assert SHORTEST_PAUSE <= ask_again_seconds(elapsed, percent) <= LONGEST_PAUSE

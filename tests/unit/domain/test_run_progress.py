"""How far a run is."""

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.run_progress import FINISHING, WRITING_BEGINS, applying_percent, planning_percent


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

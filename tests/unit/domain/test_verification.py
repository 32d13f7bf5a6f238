"""The parts of a window that are compared, range by range (domain.md 2.15)."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.verifying.verification import STRETCH, Stretch, next_stretch, percent

START = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.lists(st.tuples(st.integers(1, 90), st.integers(1, 90)), max_size=6), st.integers(1, 400))
def test_all_that_is_covered_is_compared_once_and_nothing_else(
    parts: list[tuple[int, int]], days: int
) -> None:
    covered: list[Stretch] = []
    place = START
    for gap, length in parts:
        start = place + timedelta(days=gap)
        place = start + timedelta(days=length)
        covered.append(Stretch(start, place))
    end, at, compared = START + timedelta(days=days), START, timedelta()
    while (stretch := next_stretch(covered, at, end)) is not None:
        assert any(each.start <= stretch.start and stretch.end <= each.end for each in covered)
        assert at <= stretch.start < stretch.end <= end
        assert stretch.end - stretch.start <= STRETCH
        compared += stretch.end - stretch.start
        at = stretch.end
    wanted = sum((max(min(each.end, end) - each.start, timedelta()) for each in covered), timedelta())
    assert compared == wanted


def test_percent_grows_to_just_below_a_hundred() -> None:
    end = START + timedelta(days=100)
    figures = [percent(START, START + timedelta(days=day), end) for day in range(101)]
    assert figures == sorted(figures)
    assert (figures[0], figures[-1]) == (0, 99)

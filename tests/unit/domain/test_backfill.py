"""The months of a backfill (domain.md 2.14)."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.backfilling.backfill import months, next_month, nightly_from, progress
from shared.domain.runs.window import local_day_start

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Asia/Kathmandu"])
INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(INSTANTS, st.integers(1, 2000), ZONES)
def test_the_months_cover_the_range_once(start: datetime, days: int, name: str) -> None:
    zone, end = ZoneInfo(name), start + timedelta(days=days)
    windows = list(months(start, end, zone))
    assert (windows[0].start, windows[-1].end) == (start, end)
    assert all(one.end == other.start for one, other in pairwise(windows))
    assert all(window.end - window.start <= timedelta(days=31, hours=2) for window in windows)
    assert all(window.end.astimezone(zone).day <= 2 for window in windows[:-1])


@pytest.mark.slow
@given(INSTANTS, st.integers(1, 2000), ZONES)
def test_progress_never_goes_down_and_ends_with_a_hundred(start: datetime, days: int, name: str) -> None:
    zone, end = ZoneInfo(name), start + timedelta(days=days)
    figures = []
    for window in months(start, end, zone):
        figures += [progress(start, window.start, end, zone, percent) for percent in (0, 50, 100)]
    figures.append(progress(start, end, end, zone, 0))
    percents = [figure.percent for figure in figures]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert figures[-1].months_done == figures[-1].months_total == len(figures) // 3
    assert [figure.months_done for figure in figures[:-1:3]] == list(range(len(figures) // 3))


def test_months_are_local_ones() -> None:
    start, end = local_day_start(date(2026, 3, 10), BERLIN), local_day_start(date(2026, 5, 1), BERLIN)
    assert [(w.start.isoformat(), w.end.isoformat()) for w in months(start, end, BERLIN)] == [
        ("2026-03-09T23:00:00+00:00", "2026-03-31T22:00:00+00:00"),
        ("2026-03-31T22:00:00+00:00", "2026-04-30T22:00:00+00:00"),
    ]


def test_another_zone_in_between_leaves_no_hour_out() -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    first = next_month(start, end, ZoneInfo("UTC"))
    assert first is not None
    second = next_month(first.end, end, ZoneInfo("America/New_York"))
    assert second is not None
    assert second.start == first.end


def test_nothing_is_left_at_the_end() -> None:
    instant = datetime(2026, 1, 1, tzinfo=UTC)
    assert next_month(instant, instant, BERLIN) is None
    assert progress(instant, instant, instant, BERLIN, 0).percent == 100


@pytest.mark.parametrize(
    ("archive_from", "first"),
    [
        (date(2026, 2, 1), date(2026, 2, 1)),
        (date(2026, 1, 31), date(2026, 2, 1)),
        (date(2020, 5, 5), date(2026, 2, 1)),
        (date(2026, 3, 7), date(2026, 3, 7)),
    ],
)
def test_nightly_runs_take_over_with_the_previous_month(archive_from: date, first: date) -> None:
    assert nightly_from(archive_from, date(2026, 3, 9)) == first

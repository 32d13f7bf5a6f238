"""Windows: half-open, in the zone's days, DST safe (domain.md 2.2)."""
# ruff: noqa: DTZ001 - wall times are naive

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.runs.window import Window, local_day_start, nightly_window, validate_window
from shared.errors import ValidationFailed
from tests.unit.domain.source_events import calendars, make_all_day, make_event

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NEW_YORK = ZoneInfo("America/New_York")
ZONES = ("UTC", "Europe/Amsterdam", "America/Sao_Paulo", "Pacific/Apia", "America/St_Johns", "Asia/Tokyo")


def day_window(day: date, zone: ZoneInfo) -> Window | None:
    start, end = local_day_start(day, zone), local_day_start(day + timedelta(days=1), zone)
    return Window(start, end, zone) if start < end else None


def test_an_event_belongs_to_the_window_it_starts_in_whatever_its_end() -> None:
    window = Window(datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC), ZoneInfo("UTC"))
    assert window.owns(make_event(start=window.start))
    assert window.owns(make_event(start=window.end - timedelta(minutes=1), hours=48))
    assert not window.owns(make_event(start=window.end))
    assert not window.owns(make_event(start=window.start - timedelta(minutes=1), hours=3))


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Pacific/Kiritimati", "UTC"])
def test_an_all_day_event_belongs_to_its_local_date(zone: str) -> None:
    window = day_window(date(2026, 2, 3), ZoneInfo(zone))
    assert window is not None
    assert window.owns(make_all_day("on", datetime(2026, 2, 3, tzinfo=UTC)))
    assert not window.owns(make_all_day("before", datetime(2026, 2, 2, tzinfo=UTC), days=3))
    assert not window.owns(make_all_day("after", datetime(2026, 2, 4, tzinfo=UTC)))


def test_an_all_day_event_on_a_date_without_midnight_is_owned() -> None:
    sao_paulo = ZoneInfo("America/Sao_Paulo")
    window = day_window(date(2018, 11, 4), sao_paulo)
    assert window is not None
    assert window.start == datetime(2018, 11, 4, 3, tzinfo=UTC)
    assert window.owns(make_all_day("holiday", datetime(2018, 11, 4, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 7, 1), 24)]
)
def test_days_of_a_clock_change_have_23_or_25_hours(day: date, hours: int) -> None:
    window = day_window(day, AMSTERDAM)
    assert window is not None
    assert window.end - window.start == timedelta(hours=hours)


@settings(deadline=None, max_examples=60)
@given(
    data=st.data(),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    day=st.dates(date(2008, 1, 1), date(2030, 1, 1)),
)
def test_each_event_belongs_to_exactly_one_of_consecutive_days(
    data: st.DataObject, zone: ZoneInfo, day: date
) -> None:
    events = data.draw(calendars(datetime(day.year, day.month, day.day, tzinfo=UTC), days=2, most=10))
    windows = [w for n in range(-4, 9) if (w := day_window(day + timedelta(days=n), zone)) is not None]
    for before, after in pairwise(windows):
        assert before.end == after.start
    for event in events:
        assert sum(window.owns(event) for window in windows) == 1


def test_planning_reads_a_day_outside_each_edge() -> None:
    window = Window(datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC), AMSTERDAM)
    assert window.read_range == (datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 3, tzinfo=UTC))


def test_a_window_keeps_utc_instants_and_is_never_empty_or_naive() -> None:
    plus_two = timezone(timedelta(hours=2))
    window = Window(
        datetime(2026, 2, 1, 2, tzinfo=plus_two), datetime(2026, 2, 2, tzinfo=plus_two), AMSTERDAM
    )
    assert window.start.utcoffset() == timedelta(0)
    with pytest.raises(ValueError, match="ends after"):
        Window(window.start, window.start, AMSTERDAM)
    with pytest.raises(ValueError, match="offset"):
        Window(datetime(2026, 2, 1), window.end, AMSTERDAM)


NIGHT = datetime(2026, 3, 10, 1, tzinfo=UTC)
TODAY = datetime(2026, 3, 9, 23, tzinfo=UTC)


def test_the_first_night_begins_at_archive_from() -> None:
    window = nightly_window(NIGHT, AMSTERDAM, date(2026, 2, 1), None, 7)
    assert window == Window(datetime(2026, 1, 31, 23, tzinfo=UTC), TODAY, AMSTERDAM)


def test_a_later_night_replans_the_lookback_before_the_last_archived_instant() -> None:
    archived_until = TODAY - timedelta(days=1)
    window = nightly_window(NIGHT, AMSTERDAM, date(2026, 1, 1), archived_until, 7)
    assert window == Window(archived_until - timedelta(days=7), TODAY, AMSTERDAM)


def test_a_second_run_on_the_same_day_still_replans_the_lookback() -> None:
    window = nightly_window(NIGHT, AMSTERDAM, date(2026, 1, 1), TODAY, 7)
    assert window == Window(TODAY - timedelta(days=7), TODAY, AMSTERDAM)
    assert nightly_window(NIGHT, AMSTERDAM, date(2026, 1, 1), TODAY, 0) is None


def test_missed_nights_are_archived_in_one_window() -> None:
    window = nightly_window(NIGHT, AMSTERDAM, date(2026, 1, 1), TODAY - timedelta(days=20), 2)
    assert window == Window(TODAY - timedelta(days=22), TODAY, AMSTERDAM)


def test_the_lookback_never_goes_before_archive_from() -> None:
    window = nightly_window(NIGHT, AMSTERDAM, date(2026, 3, 7), TODAY - timedelta(days=1), 60)
    assert window == Window(TODAY - timedelta(days=3), TODAY, AMSTERDAM)
    early = nightly_window(NIGHT, NEW_YORK, date.min + timedelta(days=1), None, 60)
    assert early is not None


@pytest.mark.parametrize("archive_from", [date(2026, 3, 10), date(2027, 1, 1)])
def test_nothing_is_planned_before_archive_from(archive_from: date) -> None:
    assert nightly_window(NIGHT, AMSTERDAM, archive_from, None, 7) is None


def test_the_lookback_counts_local_days_across_a_clock_change() -> None:
    after_change = datetime(2026, 3, 31, 1, tzinfo=UTC)
    window = nightly_window(
        after_change, AMSTERDAM, date(2026, 1, 1), datetime(2026, 3, 29, 22, tzinfo=UTC), 2
    )
    assert window is not None
    assert window.start == datetime(2026, 3, 27, 23, tzinfo=UTC)
    assert window.end == datetime(2026, 3, 30, 22, tzinfo=UTC)


def test_a_changed_zone_leaves_no_gap_after_the_last_archived_instant() -> None:
    archived_until = datetime(2026, 3, 9, 0, tzinfo=UTC)  # a day's start in UTC, not in New York
    window = nightly_window(NIGHT, NEW_YORK, date(2026, 1, 1), archived_until, 0)
    assert window is not None
    assert window.start <= archived_until


@settings(deadline=None, max_examples=80)
@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    first=st.datetimes(datetime(2008, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    gaps=st.lists(st.integers(1, 90), min_size=1, max_size=6),
    lookback=st.integers(0, 60),
)
def test_nights_in_a_row_leave_no_instant_out(
    zone: ZoneInfo, first: datetime, gaps: list[int], lookback: int
) -> None:
    archive_from = first.astimezone(zone).date() - timedelta(days=10)
    archived_until: datetime | None = None
    now = first
    for hours in gaps:
        window = nightly_window(now, zone, archive_from, archived_until, lookback)
        if window is not None:
            assert window.start <= (archived_until or local_day_start(archive_from, zone))
            assert local_day_start(archive_from, zone) <= window.start < window.end <= now
            archived_until = window.end
        now += timedelta(hours=hours)


@pytest.mark.parametrize(
    ("start", "end", "field"),
    [
        (datetime(2026, 2, 2, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC), "window_end"),
        (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC), "window_end"),
        (datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 2, 5, 0, 0, 1, tzinfo=UTC), "window_end"),
        (datetime(2026, 2, 1), datetime(2026, 2, 2, tzinfo=UTC), "window_start"),
        (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 2), "window_end"),
        (
            datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))),
            datetime(1, 1, 2, tzinfo=UTC),
            "window_start",
        ),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC), "window_end"),
    ],
)
def test_a_window_that_cannot_be_archived_is_refused_by_field(
    start: datetime, end: datetime, field: str
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        validate_window(start, end, 400)
    assert field in [error.field for error in refused.value.errors]


def test_a_window_of_exactly_the_most_days_is_accepted() -> None:
    start = datetime(2025, 1, 1, tzinfo=UTC)
    validate_window(start, start + timedelta(days=400), 400)

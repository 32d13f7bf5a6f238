"""Next runs (domain.md 8.1)."""
# ruff: noqa: DTZ001 - wall times are naive

import calendar
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.times.schedule import WEEKDAYS, Schedule, ScheduleKind, next_run, parse
from shared.errors import ValidationFailed

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
ZONES = ("UTC", "Europe/Amsterdam", "America/Sao_Paulo", "Pacific/Apia", "America/St_Johns")


def runs(schedule: Schedule, zone: ZoneInfo, after: datetime, count: int) -> list[datetime]:
    found: list[datetime] = []
    for _ in range(count):
        run = next_run(schedule, zone, found[-1] if found else after)
        assert run is not None
        found.append(run)
    return found


def test_a_daily_run_keeps_its_local_time_across_a_clock_change() -> None:
    assert runs(Schedule.daily("04:00"), AMSTERDAM, datetime(2026, 3, 28, tzinfo=UTC), 3) == [
        datetime(2026, 3, 28, 3, tzinfo=UTC),
        datetime(2026, 3, 29, 2, tzinfo=UTC),
        datetime(2026, 3, 30, 2, tzinfo=UTC),
    ]


def test_a_skipped_local_time_runs_once_at_the_next_valid_instant() -> None:
    assert runs(Schedule.daily("02:30"), AMSTERDAM, datetime(2026, 3, 28, 12, tzinfo=UTC), 2) == [
        datetime(2026, 3, 29, 1, tzinfo=UTC),
        datetime(2026, 3, 30, 0, 30, tzinfo=UTC),
    ]


def test_a_repeated_local_time_runs_once_the_first_time() -> None:
    assert runs(Schedule.daily("02:30"), AMSTERDAM, datetime(2026, 10, 24, 12, tzinfo=UTC), 2) == [
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 26, 1, 30, tzinfo=UTC),
    ]
    between = datetime(2026, 10, 25, 1, tzinfo=UTC)
    assert next_run(Schedule.daily("02:30"), AMSTERDAM, between) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_the_next_run_is_later_than_now_even_at_the_very_instant() -> None:
    at = datetime(2026, 2, 3, 1, tzinfo=UTC)
    assert next_run(Schedule.daily("02:00"), AMSTERDAM, at) == at + timedelta(days=1)
    assert next_run(Schedule.daily("02:00"), AMSTERDAM, at - timedelta(seconds=1)) == at


def test_weekly_runs_come_on_their_days_only() -> None:
    schedule = parse({"kind": "weekly", "at": "08:00", "days": ["Friday", "monday"]})
    assert runs(schedule, ZoneInfo("UTC"), datetime(2026, 2, 3, tzinfo=UTC), 3) == [
        datetime(2026, 2, 6, 8, tzinfo=UTC),
        datetime(2026, 2, 9, 8, tzinfo=UTC),
        datetime(2026, 2, 13, 8, tzinfo=UTC),
    ]


def test_a_monthly_day_that_a_month_lacks_is_its_last() -> None:
    schedule = parse({"kind": "monthly", "at": "00:30", "day_of_month": 31})
    found = runs(schedule, AMSTERDAM, datetime(2028, 1, 1, tzinfo=UTC), 4)
    assert [run.astimezone(AMSTERDAM).date().isoformat() for run in found] == [
        "2028-01-31",
        "2028-02-29",
        "2028-03-31",
        "2028-04-30",
    ]


def test_a_manual_schedule_never_runs_automatically() -> None:
    assert next_run(parse({"kind": "manual"}), AMSTERDAM, datetime(2026, 1, 1, tzinfo=UTC)) is None


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    at = f"{draw(st.integers(0, 23)):02}:{draw(st.integers(0, 59)):02}"
    kind = draw(st.sampled_from(["daily", "weekly", "monthly"]))
    fields: dict[str, Any] = {"kind": kind, "at": at}
    if kind == "weekly":
        fields["days"] = draw(st.lists(st.sampled_from(WEEKDAYS), min_size=1, unique=True))
    if kind == "monthly":
        fields["day_of_month"] = draw(st.integers(1, 31))
    return parse(fields)


@settings(deadline=None, max_examples=150)
@given(
    schedule=schedules(),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    after=st.datetimes(datetime(2005, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),
    later=st.timedeltas(timedelta(0), timedelta(days=70)),
)
def test_next_runs_are_later_monotone_and_on_the_schedule(
    schedule: Schedule, zone: ZoneInfo, after: datetime, later: timedelta
) -> None:
    run = next_run(schedule, zone, after)
    second = next_run(schedule, zone, after + later)
    assert run is not None
    assert second is not None
    assert after < run <= second
    if after + later < run:
        assert second == run
    local = run.astimezone(zone)
    assert schedule.at is not None
    exact = schedule.includes(local.date()) and local.time().replace(fold=0) == schedule.at
    a_second_ago = (run - timedelta(seconds=1)).astimezone(zone)
    in_a_gap = local.replace(tzinfo=None) - a_second_ago.replace(tzinfo=None) > timedelta(seconds=1)
    assert exact or in_a_gap


@settings(deadline=None, max_examples=40)
@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    year=st.integers(2005, 2035),
    at=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
)
def test_a_daily_schedule_runs_once_for_every_day_of_a_year(zone: ZoneInfo, year: int, at: time) -> None:
    schedule = Schedule.daily(f"{at:%H:%M}")
    days = 366 if calendar.isleap(year) else 365
    found = runs(schedule, zone, datetime(year, 1, 5, tzinfo=UTC), days)
    assert len(set(found)) == days
    assert timedelta(days=days - 3) <= found[-1] - found[0] <= timedelta(days=days + 1)


@settings(deadline=None, max_examples=60)
@given(schedule=schedules())
def test_a_schedule_survives_its_json(schedule: Schedule) -> None:
    assert parse(schedule.to_json()) == schedule


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "schedule.kind"),
        ({"kind": "hourly"}, "schedule.kind"),
        ({"kind": ["daily"]}, "schedule.kind"),
        ({"kind": "daily"}, "schedule.at"),
        ({"kind": "daily", "at": "24:00"}, "schedule.at"),
        ({"kind": "daily", "at": "2:00"}, "schedule.at"),
        ({"kind": "daily", "at": "02:00\n"}, "schedule.at"),
        ({"kind": "daily", "at": 2}, "schedule.at"),
        ({"kind": "daily", "at": "02:00", "days": ["monday"]}, "schedule.days"),
        ({"kind": "weekly", "at": "02:00", "days": []}, "schedule.days"),
        ({"kind": "weekly", "at": "02:00", "days": "monday"}, "schedule.days"),
        ({"kind": "weekly", "at": "02:00", "days": ["mon"]}, "schedule.days"),
        ({"kind": "weekly", "at": "02:00", "days": ["monday", "Monday"]}, "schedule.days"),
        ({"kind": "monthly", "at": "02:00", "day_of_month": 32}, "schedule.day_of_month"),
        ({"kind": "monthly", "at": "02:00", "day_of_month": True}, "schedule.day_of_month"),
        ({"kind": "manual", "at": "02:00"}, "schedule.at"),
    ],
)
def test_a_wrong_schedule_is_refused_by_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        parse(fields)
    assert field in [error.field for error in refused.value.errors]


def test_fields_of_other_kinds_may_be_null() -> None:
    schedule = parse({"kind": "daily", "at": "02:00", "days": None, "day_of_month": None})
    assert schedule == Schedule(ScheduleKind.DAILY, time(2))

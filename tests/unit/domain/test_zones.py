"""Finding zones and going between wall time and instants."""
# ruff: noqa: DTZ001 - wall times are naive

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tzlocal.windows_tz import win_tz

from shared.domain.times.zone_names import fixed_offset
from shared.domain.times.zones import find_zone, first_instant, local_wall_time

ZONES = ("Europe/Amsterdam", "America/Sao_Paulo", "Pacific/Apia", "Australia/Lord_Howe", "America/St_Johns")
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Europe/Amsterdam", "Europe/Amsterdam"),
        ("europe/amsterdam", "Europe/Amsterdam"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("w. europe standard time", "Europe/Berlin"),
        (" Pacific Standard Time ", "America/Los_Angeles"),
        ("UTC", "UTC"),
        ("utc", "UTC"),
        ("tzone://Microsoft/Utc", "UTC"),
        ("Etc/GMT+5", "Etc/GMT+5"),
        ("/Europe/Stockholm", "Europe/Stockholm"),
        ("/citadel.org/20210210_1/Europe/Berlin", "Europe/Berlin"),
        ("/softwarestudio.org/Tzfile/America/Indiana/Indianapolis", "America/Indiana/Indianapolis"),
        ("GMT Standard Time 1", "Europe/London"),
        ("Eastern Standard Time 1", "America/New_York"),
        ("Europe/Berlin-1", "Europe/Berlin"),
        ("W. Europe", "Europe/Berlin"),
        ("Z=-1$DO=1$DL=3 -1 1 10 -1 1$ZX=32$ZN=W. Europe", "Europe/Berlin"),
        ("(UTC-05:00) Eastern Time (US & Canada)", "America/New_York"),
        ("(GMT-05.00) Eastern Time (US & Canada)", "America/New_York"),
        ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", "Europe/Berlin"),
        ("(UTC+01:00) Brussels, Copenhagen, Madrid, Paris", "Europe/Paris"),
        ("(UTC+08:00) Beijing, Chongqing, Hong Kong, Urumqi", "Asia/Shanghai"),
        ("(UTC) Coordinated Universal Time", "UTC"),
        ("Pacific Daylight Time", "America/Los_Angeles"),
        ("America/New York", "America/New_York"),
        ("Berlin", "Europe/Berlin"),
        ("UTC+2", "Etc/GMT-2"),
        ("UTC-5", "Etc/GMT+5"),
        ("GMT-0500", "Etc/GMT+5"),
        ("+01:00", "Etc/GMT-1"),
    ],
)
def test_a_zone_is_found_by_its_iana_or_windows_name_in_any_case(name: str, key: str) -> None:
    zone = find_zone(name)
    assert zone is not None
    assert zone.key == key


@pytest.mark.parametrize(
    "name",
    [
        "",
        "tzone://Microsoft/Custom",
        "Customized Time Zone",
        "Mars/Olympus",
        "../../etc/passwd",
        "Europe",
        "Factory",
        "localtime",
        "posixrules",
        "/etc/localtime",
        "right/Europe/Berlin",
        "Nul\x00",
        "UTC+05:30",
        "(UTC-03:00) Nowhere",
        "UTC+25",
        "x" * 100_000,
    ],
)
def test_a_custom_unknown_or_machine_dependent_name_is_no_zone(name: str) -> None:
    assert find_zone(name) is None


def test_an_offset_is_read_from_a_name_that_is_or_begins_with_one() -> None:
    assert fixed_offset("UTC+05:30") == timedelta(hours=5, minutes=30)
    assert fixed_offset("(GMT-04.30) Nowhere") == -timedelta(hours=4, minutes=30)
    assert fixed_offset("Europe/Berlin") is None


def test_every_windows_zone_is_known() -> None:
    assert [name for name in win_tz if find_zone(name) is None] == []


def test_a_wall_time_that_occurs_twice_is_refused_both_times() -> None:
    for utc_hour in (0, 1):
        assert local_wall_time(datetime(2025, 10, 26, utc_hour, 30, tzinfo=UTC), AMSTERDAM) is None
    assert local_wall_time(datetime(2025, 10, 26, 2, 30, tzinfo=UTC), AMSTERDAM) == datetime(
        2025, 10, 26, 3, 30
    )


def test_a_wall_time_with_an_offset_of_seconds_is_refused() -> None:
    assert local_wall_time(datetime(1900, 1, 1, tzinfo=UTC), ZoneInfo("Europe/Paris")) is None


@settings(deadline=None, max_examples=200)
@given(
    instant=st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
)
def test_a_wall_time_leads_back_to_its_instant(instant: datetime, zone: ZoneInfo) -> None:
    wall = local_wall_time(instant, zone)
    if wall is not None:
        assert wall.replace(tzinfo=zone).astimezone(UTC) == instant
        assert first_instant(wall, zone) == instant


@pytest.mark.parametrize(
    ("zone", "wall", "instant"),
    [
        # Summer time begins: 02:00 to 03:00 do not exist.
        ("Europe/Amsterdam", datetime(2026, 3, 29, 2, 30), datetime(2026, 3, 29, 1, tzinfo=UTC)),
        # It ends: 02:00 to 03:00 come twice, the first counts.
        ("Europe/Amsterdam", datetime(2026, 10, 25, 2, 30), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        # Midnight itself did not exist.
        ("America/Sao_Paulo", datetime(2018, 11, 4), datetime(2018, 11, 4, 3, tzinfo=UTC)),
        # A gap around midnight, from 23:30 to 00:30.
        ("America/Toronto", datetime(1919, 3, 31), datetime(1919, 3, 31, 4, 30, tzinfo=UTC)),
        # A whole day was skipped.
        ("Pacific/Apia", datetime(2011, 12, 30), datetime(2011, 12, 30, 10, tzinfo=UTC)),
        # The clock was put back one minute after midnight, so that midnight came twice.
        ("America/St_Johns", datetime(2010, 11, 7), datetime(2010, 11, 7, 2, 30, tzinfo=UTC)),
    ],
)
def test_the_first_instant_of_a_wall_time_in_gaps_and_folds(
    zone: str, wall: datetime, instant: datetime
) -> None:
    assert first_instant(wall, ZoneInfo(zone)) == instant


@settings(deadline=None, max_examples=200)
@given(
    wall=st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1)).map(lambda d: d.replace(microsecond=0)),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
)
def test_no_earlier_instant_shows_the_wall_time_or_a_later_one_of_a_gap(
    wall: datetime, zone: ZoneInfo
) -> None:
    instant = first_instant(wall, zone)
    shown = instant.astimezone(zone).replace(tzinfo=None)
    a_second_before = (instant - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
    assert shown >= wall
    assert a_second_before < wall

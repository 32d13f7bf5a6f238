"""What a finalised timesheet locks (domain.md 2.8)."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.domain.runs.locked_periods import EVERY_CUSTOMER, LockedPeriod, local_days, locking_period

ZONE = ZoneInfo("Europe/Amsterdam")
MARCH = LockedPeriod("acme", date(2026, 3, 1), date(2026, 4, 1))


@pytest.mark.parametrize(
    ("start", "hours", "first", "after"),
    [
        (datetime(2026, 3, 31, 21, tzinfo=UTC), 1, date(2026, 3, 31), date(2026, 4, 1)),
        (datetime(2026, 3, 31, 22, tzinfo=UTC), 1, date(2026, 4, 1), date(2026, 4, 2)),
        (datetime(2026, 3, 31, 21, tzinfo=UTC), 2, date(2026, 3, 31), date(2026, 4, 2)),
        (datetime(2026, 3, 31, 22, tzinfo=UTC), 0, date(2026, 4, 1), date(2026, 4, 2)),
        (datetime(2026, 3, 28, 23, tzinfo=UTC), 23, date(2026, 3, 29), date(2026, 3, 30)),
    ],
)
def test_an_event_touches_local_days(start: datetime, hours: int, first: date, after: date) -> None:
    assert local_days(start, start + timedelta(hours=hours), ZONE) == (first, after)


def test_a_period_locks_its_customer_and_its_days() -> None:
    day = date(2026, 3, 31)
    assert locking_period([MARCH], ["acme"], day, date(2026, 4, 1)) is MARCH
    assert locking_period([MARCH], ["beta", "acme"], day, date(2026, 4, 2)) is MARCH
    assert locking_period([MARCH], ["beta"], day, date(2026, 4, 1)) is None
    assert locking_period([MARCH], ["acme"], date(2026, 4, 1), date(2026, 4, 2)) is None
    assert locking_period([MARCH], ["acme"], date(2026, 2, 28), date(2026, 3, 1)) is None


def test_a_period_of_every_customer_locks_personal_time_too() -> None:
    everyone = LockedPeriod(EVERY_CUSTOMER, MARCH.first, MARCH.after)
    assert locking_period([everyone], [], date(2026, 3, 1), date(2026, 3, 2)) is everyone
    assert locking_period([], ["acme"], date(2026, 3, 1), date(2026, 3, 2)) is None

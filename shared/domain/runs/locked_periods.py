"""Periods that a finalised timesheet locked. Runs never write into them (domain.md 2.8)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

EVERY_CUSTOMER = "*"


@dataclass(frozen=True, slots=True)
class LockedPeriod:
    """Local days from ``first`` to ``after`` (exclusive), locked for one customer or for all.

    ``customer_key`` is the comparison key of the customer (domain.md 3.1), or ``EVERY_CUSTOMER``.
    """

    customer_key: str
    first: date
    after: date


def local_days(start: datetime, end: datetime, zone: ZoneInfo) -> tuple[date, date]:
    """The local days of an event: its first day, and the day after its last. Instants are UTC, half-open."""
    first = start.astimezone(zone).date()
    last = max(start, end - timedelta(microseconds=1)).astimezone(zone).date()
    return first, last + timedelta(days=1)


def locking_period(
    periods: Iterable[LockedPeriod], customer_keys: Iterable[str], first: date, after: date
) -> LockedPeriod | None:
    """The first period that locks an event of these customers on these days. None if none does.

    The customers are those of the archived and of the present event. A change must neither remove hours from
    a finalised timesheet nor add any.
    """
    keys = {EVERY_CUSTOMER, *customer_keys}
    return next(
        (
            period
            for period in periods
            if period.customer_key in keys and period.first < after and first < period.after
        ),
        None,
    )

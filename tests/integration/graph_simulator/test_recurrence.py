"""Series expansion: all patterns and ranges, compared with RFC 5545 where both mean the same."""

from datetime import date, datetime
from itertools import islice
from typing import Any

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.local.graph_simulator.values.errors import GraphError
from infra.local.graph_simulator.values.recurrence import DAYS, parse_recurrence

START = date(2026, 1, 5)
CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def dates(pattern: dict[str, Any], start: date = START, **span: Any) -> list[str]:
    """The first eight dates of a series."""
    wish = {"pattern": pattern, "range": {"type": "noEnd", "startDate": start.isoformat(), **span}}
    return [day.isoformat() for day in islice(parse_recurrence(wish, start).dates(), 8)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"type": "daily", "interval": 3}, ["2026-01-05", "2026-01-08", "2026-01-11"]),
        (
            {"type": "weekly", "interval": 2, "daysOfWeek": ["monday", "friday"], "firstDayOfWeek": "monday"},
            ["2026-01-05", "2026-01-09", "2026-01-19"],
        ),
        (
            {"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 31},
            ["2026-01-31", "2026-02-28", "2026-03-31"],
        ),
        (
            {"type": "relativeMonthly", "interval": 1, "daysOfWeek": ["friday"], "index": "last"},
            ["2026-01-30", "2026-02-27", "2026-03-27"],
        ),
        (
            {"type": "relativeMonthly", "interval": 1, "daysOfWeek": list(DAYS[:5]), "index": "first"},
            ["2026-02-02", "2026-03-02", "2026-04-01"],
        ),
        (
            {"type": "absoluteYearly", "interval": 1, "month": 2, "dayOfMonth": 29},
            ["2026-02-28", "2027-02-28", "2028-02-29"],
        ),
        (
            {
                "type": "relativeYearly",
                "interval": 1,
                "month": 11,
                "daysOfWeek": ["thursday"],
                "index": "fourth",
            },
            ["2026-11-26", "2027-11-25", "2028-11-23"],
        ),
    ],
)
def test_patterns(pattern: dict[str, Any], expected: list[str]) -> None:
    assert dates(pattern)[:3] == expected


def test_ranges_end_by_date_inclusive_or_by_number() -> None:
    daily = {"type": "daily", "interval": 1}
    assert dates(daily, type="endDate", endDate="2026-01-07")[-1] == "2026-01-07"
    assert len(dates(daily, type="numbered", numberOfOccurrences=4)) == 4
    assert len(dates(daily, type="noEnd")) == 8


@given(
    interval=st.integers(1, 5),
    days=st.sets(st.integers(0, 6), min_size=1),
    first=st.integers(0, 6),
    start=st.dates(date(2020, 1, 1), date(2030, 1, 1)),
)
@settings(max_examples=60, deadline=None)
def test_weekly_agrees_with_rfc_5545(interval: int, days: set[int], first: int, start: date) -> None:
    pattern = {
        "type": "weekly",
        "interval": interval,
        "daysOfWeek": [DAYS[day] for day in days],
        "firstDayOfWeek": DAYS[first],
    }
    codes = ",".join(CODES[day] for day in days)
    rule = rrulestr(
        f"FREQ=WEEKLY;INTERVAL={interval};BYDAY={codes};WKST={CODES[first]}",
        dtstart=datetime.combine(start, datetime.min.time()),
    )
    assert dates(pattern, start) == [moment.date().isoformat() for moment in islice(rule, 8)]


@pytest.mark.parametrize(
    ("pattern", "span"),
    [
        ({"type": "weekly", "interval": 1}, {}),
        ({"type": "weekly", "interval": 1, "daysOfWeek": ["someday"]}, {}),
        ({"type": "daily"}, {}),
        ({"type": "daily", "interval": 0}, {}),
        ({"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 32}, {}),
        ({"type": "absoluteYearly", "interval": 1, "dayOfMonth": 3}, {}),
        ({"type": "daily", "interval": 1}, {"type": "numbered"}),
        ({"type": "daily", "interval": 1}, {"type": "endDate", "endDate": "2025-01-01"}),
        ({"type": "daily", "interval": 1}, {"startDate": "2026-01-06"}),
        ({"type": "daily", "interval": 1}, {"type": "forever"}),
    ],
)
def test_impossible_recurrences_are_refused(pattern: dict[str, Any], span: dict[str, Any]) -> None:
    with pytest.raises(GraphError) as caught:
        dates(pattern, **span)
    assert caught.value.status == 400

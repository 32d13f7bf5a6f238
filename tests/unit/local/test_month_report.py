"""How the months of a calendar file are asked for."""

from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from infra.local.calendar_file import CalendarFile
from infra.local.month_report import _parts
from infra.local.seeding import Person


@pytest.mark.parametrize("period", ["week", "month"])
@pytest.mark.parametrize("days", [1, 400, 401, 1200])
def test_a_long_range_is_asked_in_parts_that_cut_no_period(period: str, days: int) -> None:
    start = date(2024, 1, 17)
    person = Person("kim@calendar.example.com", "kim", "Europe/Berlin", start)
    parts = list(_parts(CalendarFile(Path("kim.ics"), person, start, start + timedelta(days), {}), period))
    assert (parts[0][0], parts[-1][1]) == (start, start + timedelta(days - 1))
    assert all((last - first).days < 400 for first, last in parts)
    assert all(before[1] + timedelta(days=1) == after[0] for before, after in pairwise(parts))
    begun = [first for first, _ in parts[1:]]
    assert all(first.day == 1 if period == "month" else first.weekday() == 0 for first in begun)
    assert len(parts) == 1 or days > 400

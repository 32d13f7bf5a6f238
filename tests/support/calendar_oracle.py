"""What ``recurring_ical_events`` says a calendar holds: an oracle that shares no code with our reader."""

import importlib
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import icalendar

from tests.support.random_calendars import OFFICE, RandomCalendar

#: A development dependency.
LIBRARY = "recurring_ical_events"


def oracle_starts(calendar: RandomCalendar) -> list[str]:
    """UTC starts (all-day: dates) of what starts on the days asked for, in order."""
    zone = ZoneInfo(calendar.zone)
    # With X-WR-TIMEZONE it lets series in UTC follow that zone's clock; RFC 5545 knows no such thing.
    lines = [line for line in calendar.text.splitlines() if not line.startswith("X-WR-TIMEZONE")]
    parsed = icalendar.Calendar.from_ical("\r\n".join(lines) + "\r\n")
    margin = timedelta(days=5)
    found = []
    recurring: Any = importlib.import_module(LIBRARY)
    for event in recurring.of(parsed).between(calendar.first - margin, calendar.last + margin):
        start = event["DTSTART"].dt
        if not isinstance(start, datetime):
            if calendar.first <= start < calendar.last:
                found.append(start.isoformat())
            continue
        if start.tzinfo is None:
            start = start.replace(tzinfo=zone)
        elif not isinstance(start.tzinfo, ZoneInfo) and start.tzinfo is not UTC:
            # dateutil's clock of a VTIMEZONE counts a time in a gap with the offset after it. RFC 5545 3.3.5
            # uses the one before, as zoneinfo does.
            start = start.replace(tzinfo=ZoneInfo(OFFICE))
        instant = start.astimezone(UTC)
        if calendar.first <= local(instant, zone) < calendar.last:
            found.append(f"{instant:%Y-%m-%dT%H:%M}")
    return sorted(found)


def local(instant: datetime, zone: ZoneInfo) -> date:
    """The local date of an instant."""
    return instant.astimezone(zone).date()

"""Loaded calendars beside what an oracle says of them."""

from zoneinfo import ZoneInfo

from tests.support.calendar_import import load_calendar
from tests.support.calendar_oracle import local, oracle_starts
from tests.support.random_calendars import RandomCalendar, random_calendar


def loaded_occurrences(calendar: RandomCalendar) -> list[tuple[str, str]]:
    """UID and UTC start (all-day: date) of what is in the mailbox on the days asked for, in order.

    Raises :class:`AssertionError` if a VEVENT is not accounted for.
    """
    loaded = load_calendar(calendar.raw, from_=calendar.first.isoformat(), to=calendar.last.isoformat())
    zone = ZoneInfo(calendar.zone)
    found = []
    for start, _, event in loaded.occurrences:
        day = start.date() if event["isAllDay"] else local(start, zone)
        if calendar.first <= day < calendar.last:
            written = f"{start:%Y-%m-%d}" if event["isAllDay"] else f"{start:%Y-%m-%dT%H:%M}"
            found.append((event["iCalUId"], written))
    entries = loaded.report["entries"]
    if entries["total"] != sum(count for name, count in entries.items() if name != "total"):
        raise AssertionError(f"seed {calendar.seed}: {entries}")
    if loaded.report["events"] != len(found):
        raise AssertionError(f"seed {calendar.seed}: {loaded.report['events']} told, {len(found)} loaded")
    return sorted(found)


def difference(seed: int) -> str | None:
    """How the calendar of a seed differs from the oracle's; ``None`` if it does not."""
    calendar = random_calendar(seed)
    return difference_of(calendar, loaded_occurrences(calendar))


def difference_of(calendar: RandomCalendar, loaded: list[tuple[str, str]]) -> str | None:
    """The same of a calendar that was loaded already."""
    ours, theirs = sorted(start for _, start in loaded), oracle_starts(calendar)
    if ours == theirs:
        return None
    more, less = sorted(set(ours) - set(theirs))[:3], sorted(set(theirs) - set(ours))[:3]
    counts = f"{len(ours)} loaded, {len(theirs)} expected"
    return f"seed {calendar.seed}: {counts}; only loaded {more}, missing {less}"

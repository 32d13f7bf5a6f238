"""Graph-shaped event JSON, written the way Outlook writes it (graph.md, Event)."""

from datetime import date, datetime, time, timedelta
from typing import Any

type Json = dict[str, Any]

_DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def timed(subject: str, start: datetime, minutes: int, zone: str, body: str = "", **fields: Any) -> Json:
    """An event at a wall-clock time (naive) of a zone, Windows or IANA."""
    return {
        "subject": subject,
        "body": {"contentType": "html", "content": body},
        "start": _wall(start, zone),
        "end": _wall(start + timedelta(minutes=minutes), zone),
        "isAllDay": False,
        **fields,
    }


def all_day(subject: str, first: date, days: int, zone: str, **fields: Any) -> Json:
    """An all-day event of a number of days: midnight to midnight, end exclusive."""
    start = datetime.combine(first, time(0))
    return {
        "subject": subject,
        "body": {"contentType": "text", "content": ""},
        "start": _wall(start, zone),
        "end": _wall(start + timedelta(days=days), zone),
        "isAllDay": True,
        **fields,
    }


def weekly(event: Json, until: date, *weekdays: int, interval: int = 1) -> Json:
    """The event as a weekly series on weekdays (0 is Monday), its own start being the first occurrence."""
    return _series(
        event,
        {
            "type": "weekly",
            "interval": interval,
            "daysOfWeek": [_DAY_NAMES[day] for day in weekdays],
            "firstDayOfWeek": "monday",
        },
        until,
    )


def daily(event: Json, until: date, interval: int) -> Json:
    """The event as a series every ``interval`` days."""
    return _series(event, {"type": "daily", "interval": interval}, until)


def monthly_on_day(event: Json, until: date) -> Json:
    """The event as a series on its own day of the month."""
    return _series(event, {"type": "absoluteMonthly", "interval": 1, "dayOfMonth": _first(event).day}, until)


def monthly_on_weekday(event: Json, until: date, index: str) -> Json:
    """The event as a series on the first … last of its own weekday in the month."""
    weekday = _DAY_NAMES[_first(event).weekday()]
    return _series(
        event, {"type": "relativeMonthly", "interval": 1, "daysOfWeek": [weekday], "index": index}, until
    )


def person(address: str, name: str) -> Json:
    """An ``emailAddress``."""
    return {"emailAddress": {"address": address, "name": name}}


def attendees(*addresses: str) -> list[Json]:
    """Required attendees."""
    return [
        {"type": "required", **person(address, address.partition("@")[0].title())} for address in addresses
    ]


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """Wall-clock time on a day, without a zone: the event names it."""
    return datetime.combine(day, time(hour, minute))


def _series(event: Json, pattern: Json, until: date) -> Json:
    zone = event["start"]["timeZone"]
    return event | {
        "recurrence": {
            "pattern": pattern,
            "range": {
                "type": "endDate",
                "startDate": _first(event).isoformat(),
                "endDate": until.isoformat(),
                "recurrenceTimeZone": zone,
            },
        }
    }


def _first(event: Json) -> date:
    return date.fromisoformat(event["start"]["dateTime"][:10])


def _wall(moment: datetime, zone: str) -> Json:
    return {"dateTime": moment.isoformat(timespec="microseconds") + "0", "timeZone": zone}

"""Recurring events of a person: several patterns, exceptions and cancelled occurrences."""

from datetime import date, timedelta

from infra.local.demonstration import days
from infra.local.demonstration.events import (
    Json,
    at,
    attendees,
    daily,
    monthly_on_day,
    monthly_on_weekday,
    person,
    timed,
    weekly,
)

_COLLEAGUES = ("lea.huber@example.com", "tom.baker@example.com", "mei.ito@example.com")


def regular_series(first: date, last: date, zone: str, outlook_zone: str, address: str) -> list[Json]:
    """Series that run through both months, from ``first`` to ``last``."""
    return [
        _standup(first, last, outlook_zone, address),
        _one_to_one(first, last, zone, address),
        _team_meeting(first, last, outlook_zone),
        daily(timed("Backup check", at(first, 7, 45), 15, zone, showAs="free"), last, 3),
        weekly(timed("Sprint review", at(days.on_or_after(first, 4), 15), 60, zone), last, 4, interval=2),
        monthly_on_day(
            timed("Invoicing", at(first, 16), 60, zone, categories=["Admin - non-billable"]), last
        ),
        monthly_on_weekday(
            timed("Board report", at(_nth(first, 3, 3), 13), 90, outlook_zone, importance="high"),
            last,
            "third",
        ),
    ]


def series_across_clock_change(archive_from: date, change: date, last: date, zone: str) -> list[Json]:
    """What runs across the clock change: a series at one wall-clock time, an event of that night."""
    start = days.on_or_after(archive_from, 0)
    return [
        weekly(timed("Regional call", at(start, 8, 30), 30, zone, "<p>Every week.</p>"), last, 0),
        timed("Night maintenance", at(change, 0, 30), 240, zone, "<p>Clocks change meanwhile.</p>"),
        timed("Morning after the clocks changed", at(change, 9), 60, zone),
    ]


def _standup(first: date, last: date, zone: str, address: str) -> Json:
    start = next(days.weekdays(first, last))
    event = timed(
        "Stand-up",
        at(start, 9),
        15,
        zone,
        "<p>What did we do, what is next?</p>",
        attendees=attendees(*(colleague for colleague in _COLLEAGUES if colleague != address)),
        isOnlineMeeting=True,
        onlineMeetingProvider="teamsForBusiness",
        categories=["Online"],
    )
    return weekly(event, last, 0, 1, 2, 3, 4)


def _one_to_one(first: date, last: date, zone: str, address: str) -> Json:
    """Weekly, with one occurrence moved, one renamed and one deleted in each month."""
    tuesdays = [day for day in days.weekdays(first, last) if day.weekday() == 1]
    moved, renamed, deleted = tuesdays[1::4], tuesdays[2::4], tuesdays[3::4]
    event = timed(
        "1:1",
        at(tuesdays[0], 11),
        30,
        zone,
        organizer=person("lea.huber@example.com", "Lea Huber"),
        attendees=attendees(address),
        responseStatus={"response": "accepted", "time": "2020-01-01T00:00:00Z"},
        sensitivity="private",
    )
    exceptions: list[Json] = []
    for day in moved:
        # Wednesday instead: the occurrence leaves its own day but keeps its original start.
        changed = timed("1:1", at(day + timedelta(days=1), 14), 45, zone)
        exceptions.append(
            {"originalStart": day.isoformat(), "start": changed["start"], "end": changed["end"]}
        )
    exceptions += [{"originalStart": day.isoformat(), "subject": "1:1 (yearly talk)"} for day in renamed]
    return weekly(event, last, 1) | {
        "exceptions": exceptions,
        "cancelledOccurrences": [day.isoformat() for day in deleted],
    }


def _team_meeting(first: date, last: date, zone: str) -> Json:
    start = days.on_or_after(first, 3)
    event = timed("Team meeting", at(start, 10), 60, zone, categories=["Northwind - billable"], attachments=1)
    return weekly(event, last, 3) | {
        "exceptions": [
            {
                "originalStart": (start + timedelta(weeks=1)).isoformat(),
                "body": {"contentType": "html", "content": "<p>With the auditors.</p>"},
                "location": {"displayName": "Großer Saal"},
            }
        ]
    }


def _nth(first: date, weekday: int, number: int) -> date:
    return days.on_or_after(first, weekday) + timedelta(weeks=number - 1)

"""One event of every kind that calendars hold and that archiving must get right (domain.md 2)."""

from datetime import date, timedelta

from infra.local.demonstration import days
from infra.local.demonstration.events import Json, all_day, at, attendees, person, timed

_RESPONDED = "2020-01-01T00:00:00Z"
_OTHER_ZONES = {
    "Europe/Vienna": "Pacific Standard Time",
    "America/New_York": "Asia/Kolkata",
    "Asia/Tokyo": "Europe/London",
}


def special_events(first: date, zone: str, outlook_zone: str, address: str) -> list[Json]:
    """Special events of the month that starts at ``first``, early in it, so that they are soon archived."""
    monday = days.on_or_after(first, 0)

    def day(number: int) -> date:
        return first + timedelta(days=number)

    return [
        *_all_day(first, zone),
        *_answers(first, zone, address),
        *_texts(first, zone),
        *_categories(first, zone),
        *_overlaps(monday, outlook_zone),
        *_modifications(monday, outlook_zone),
        timed("Call with the west coast", at(day(2), 9), 45, _OTHER_ZONES.get(zone, "UTC")),
        timed("Status in UTC", at(day(3), 12), 30, "UTC"),
        timed("Doctor", at(day(2), 7), 60, zone, sensitivity="private", showAs="oof"),
        timed("Compensation review", at(day(3), 18), 30, zone, sensitivity="confidential"),
        timed("Birthday present", at(day(3), 19), 30, zone, sensitivity="personal"),
        timed("Working from the train", at(day(4), 6), 120, zone, showAs="workingElsewhere"),
        timed("Late release", at(day(4), 23), 180, zone, "<p>Across midnight.</p>"),
        timed("Deadline", at(day(5), 17), 0, zone, "<p>A moment, not a span.</p>"),
        timed("Offer", at(day(5), 10), 60, zone, "<p>See the files.</p>", attachments=3),
        *[timed("Dentist", at(day(5), 8), 30, zone, "<p>Entered twice.</p>") for _ in range(2)],
    ]


def _all_day(first: date, zone: str) -> list[Json]:
    return [
        all_day("Public holiday", first + timedelta(days=1), 1, zone, showAs="free"),
        all_day(
            "Conference", first + timedelta(days=2), 3, zone, showAs="oof", location={"displayName": "Graz"}
        ),
    ]


def _answers(first: date, zone: str, address: str) -> list[Json]:
    day = first + timedelta(days=2)
    invitation: Json = {
        "organizer": person("events@northwind.example.com", "Northwind Events"),
        "attendees": attendees(address, "guest@northwind.example.com"),
    }
    return [
        timed(
            "Partner breakfast",
            at(day, 8),
            60,
            zone,
            showAs="free",
            **invitation,
            responseStatus={"response": "declined", "time": _RESPONDED},
        ),
        timed(
            "Maybe: product demo",
            at(day, 16),
            60,
            zone,
            showAs="tentative",
            **invitation,
            responseStatus={"response": "tentativelyAccepted", "time": _RESPONDED},
        ),
        timed(
            "Canceled: quarterly review", at(day, 17), 60, zone, showAs="free", **invitation, isCancelled=True
        ),
        timed(
            "Kick-off",
            at(day, 10),
            60,
            zone,
            attendees=attendees("guest@northwind.example.com", "lea.huber@example.com"),
            isOnlineMeeting=True,
            onlineMeetingProvider="teamsForBusiness",
            location={"displayName": "Microsoft Teams-Besprechung"},
        ),
    ]


def _texts(first: date, zone: str) -> list[Json]:
    day = first + timedelta(days=3)
    minutes = "".join(
        f"<p>{number}. Протокол · Punkt {number}: besprochen, 決定, מאושר ✓</p>" for number in range(400)
    )
    return [
        timed("Встреча с клиентом", at(day, 9), 30, zone),
        timed("客户会议：季度回顾", at(day, 10), 30, zone),
        timed("اجتماع الفريق", at(day, 11), 30, zone),
        timed("פגישת צוות 🎉", at(day, 13), 30, zone),
        timed("Minutes of the workshop", at(day, 14), 60, zone, f"<html><body>{minutes}</body></html>"),
        timed("", at(day, 15), 15, zone, "<p>Nobody gave it a subject.</p>"),
    ]


def _categories(first: date, zone: str) -> list[Json]:
    day = first + timedelta(days=4)
    sorts = (
        ["Acme - billable"],
        ["Billable - Acme"],
        ["Smith - Jones LLP - non-billable"],
        ["Contoso — Billable"],
        ["Admin - non-billable"],
        ["Break - non-billable"],
        ["Online"],
        ["Acme billable"],
        ["Acme - perhaps"],
        [" - billable"],
        ["Acme - billable", "Northwind - billable"],
    )
    return [
        timed(
            "Work " + " + ".join(sort), at(day, 8) + timedelta(minutes=45 * number), 30, zone, categories=sort
        )
        for number, sort in enumerate(sorts)
    ] + [
        timed("Flight to the customer", at(day, 18), 120, zone, categories=["Acme - billable"], showAs="busy")
    ]


def _overlaps(monday: date, zone: str) -> list[Json]:
    return [
        timed("Workshop, whole day", at(monday, 9), 480, zone, categories=["Acme - billable"]),
        timed("Call inside the workshop", at(monday, 10), 60, zone, importance="high"),
        timed("Second call inside", at(monday, 12), 60, zone, showAs="tentative"),
        # Before anybody's ordinary day, so that nothing else is in these groups.
        *_pair(
            monday + timedelta(days=2), zone, "Release call", "busy", "Review of the release", "tentative"
        ),
        *_pair(monday + timedelta(days=3), zone, "Customer hotline", "busy", "Call with Asia", "busy"),
    ]


def _pair(day: date, zone: str, first: str, shown: str, second: str, second_shown: str) -> list[Json]:
    """Two billable events that overlap: the rules decide between confirmed and tentative, else its owner."""
    return [
        timed(first, at(day, 5), 45, zone, categories=["Acme - billable"], showAs=shown),
        timed(second, at(day, 5, 30), 30, zone, categories=["Northwind - billable"], showAs=second_shown),
    ]


def _modifications(monday: date, zone: str) -> list[Json]:
    tuesday, friday = monday + timedelta(days=1), monday + timedelta(days=4)
    return [
        timed("Steering committee", at(tuesday, 14), 60, zone, categories=["Acme - billable"]),
        timed("Extended", at(tuesday, 15), 30, zone, categories=["Acme - billable"]),
        # Nothing ends at five in the morning: it is about no meeting.
        timed("Extension", at(friday, 5), 15, zone),
    ]

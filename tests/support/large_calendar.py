"""A large export: single events and series over three years, with attendees and long descriptions."""

from collections.abc import Iterator
from datetime import datetime, timedelta

_WORDS = "Minutes of the meeting, decisions\\, open points and who takes care of them. "


def large_calendar(
    events: int = 8000, series: int = 150, size: int = 10_000_000, occurrences: int | None = None
) -> bytes:
    """An iCalendar file of about ``size`` bytes. Its series end after ``occurrences``, or never."""
    share = max(size // (events + series) - 420, 0)
    body = (_WORDS * (share // len(_WORDS) + 1))[:share]
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "X-WR-CALNAME:kim@example.com", "X-WR-TIMEZONE:Europe/Berlin"]
    for number in range(events + series):
        lines += _event(number, body, occurrences, recurring=number >= events)
    lines.append("END:VCALENDAR")
    return b"".join(b"\r\n ".join(_pieces(line.encode())) + b"\r\n" for line in lines)


def _event(number: int, body: str, occurrences: int | None, *, recurring: bool) -> Iterator[str]:
    start = datetime(2024, 1, 1, 8) + timedelta(minutes=15 * (number % 40), hours=24 * (number % 1000))  # noqa: DTZ001
    yield "BEGIN:VEVENT"
    yield f"UID:{number}@example.com"
    yield f"SUMMARY:Meeting {number % 300}"
    yield f"DTSTART;TZID=Europe/Berlin:{start:%Y%m%dT%H%M%S}"
    yield f"DTEND;TZID=Europe/Berlin:{start + timedelta(minutes=45):%Y%m%dT%H%M%S}"
    yield f"CATEGORIES:Customer {number % 20} - billable"
    yield "ORGANIZER;CN=Olga:mailto:olga@client.example"
    yield "ATTENDEE;CN=Kim;PARTSTAT=ACCEPTED:mailto:kim@example.com"
    yield f"DESCRIPTION:{body}"
    if recurring:
        day = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")[start.weekday()]
        often = f"FREQ=WEEKLY;BYDAY={day}" if number % 3 else f"FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR,{day}"
        yield f"RRULE:{often}" + (f";COUNT={occurrences}" if occurrences else "")
    yield "END:VEVENT"


def _pieces(line: bytes) -> Iterator[bytes]:
    yield line[:75]
    for at in range(75, len(line), 74):
        yield line[at : at + 74]

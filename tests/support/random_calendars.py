"""Random calendars from a seed: zones, rules, exceptions, changes, older versions, odd folding.

What one means is said by an oracle. A start always fits its rule: of others RFC 5545 3.8.5.3 says nothing.
"""

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice

from dateutil.rrule import rrulestr

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "UTC",
    "",
    "Office",
)
#: Whose clock the zone has that random calendars define themselves.
OFFICE = "Europe/Berlin"
_OFFICE = """\
BEGIN:VTIMEZONE
TZID:Office
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE"""
_SUBJECTS = ("Review", "Überprüfung der Größe", "会議 🏼", "Réunion; à midi")


@dataclass(frozen=True, slots=True)
class RandomCalendar:
    """``text`` is unfolded, with line feeds; ``raw`` the same as an odd writer would write it."""

    seed: int
    text: str
    raw: bytes
    zone: str
    first: date
    last: date


def random_calendar(seed: int) -> RandomCalendar:
    """The calendar of a seed, and the days that are asked for."""
    chance = random.Random(seed)
    zone = chance.choice(("Europe/Berlin", "America/New_York", "Asia/Tokyo"))
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example//Random//EN", f"X-WR-TIMEZONE:{zone}"]
    lines += _OFFICE.splitlines()
    for number in range(chance.randint(1, 4)):
        lines += _event(chance, f"{seed}-{number}@example.com")
    lines.append("END:VCALENDAR")
    first = date(2025, 1, 1) + timedelta(days=chance.randint(0, 400))
    last = first + timedelta(days=chance.choice((31, 120, 365)))
    return RandomCalendar(seed, "\n".join(lines) + "\n", _folded(chance, lines), zone, first, last)


def _event(chance: random.Random, uid: str) -> list[str]:
    tzid = chance.choice(_ZONES)
    all_day = chance.random() < 0.15
    start = datetime(  # noqa: DTZ001 - wall-clock time
        chance.randint(2015, 2026),
        chance.randint(1, 12),
        chance.randint(1, 28),
        0 if all_day else chance.randint(0, 23),
        0 if all_day else chance.choice((0, 15, 30, 45)),
    )
    length = (
        timedelta(days=chance.randint(1, 3))
        if all_day
        else timedelta(minutes=chance.choice((15, 60, 90, 600)))
    )
    kind = _Kind(tzid, all_day)
    rule = _rule(chance, start, all_day=all_day) if chance.random() < 0.75 else ""
    if rule:
        # The rule's own first date, so that the start fits it.
        start = next(iter(rrulestr(rule, dtstart=start)))
    master = [f"UID:{uid}", f"SUMMARY:{chance.choice(_SUBJECTS)}", kind.line("DTSTART", start)]
    master.append(_end(chance, kind, start, length))
    sequence = chance.randint(0, 3)
    events = []
    if rule:
        master.append(f"RRULE:{rule}")
        dates = list(islice(rrulestr(rule, dtstart=start), 60))
        master += _extra(chance, kind, dates)
        events += _changes(chance, kind, uid, sequence, dates, length)
    if chance.random() < 0.2:
        events.append([*master[:2], kind.line("DTSTART", start + timedelta(hours=24)), "SEQUENCE:0"])
        sequence += 1
    events.insert(0, [*master, f"SEQUENCE:{sequence}"])
    chance.shuffle(events)
    return [
        line
        for event in events
        for line in ("BEGIN:VEVENT", *event, "DTSTAMP:20260101T000000Z", "END:VEVENT")
    ]


@dataclass(frozen=True, slots=True)
class _Kind:
    tzid: str
    all_day: bool

    def line(self, name: str, moment: datetime, more: str = "") -> str:
        if self.all_day:
            return f"{name};VALUE=DATE{more}:{moment:%Y%m%d}"
        if self.tzid == "UTC":
            return f"{name}{more}:{moment:%Y%m%dT%H%M%S}Z"
        zone = f";TZID={self.tzid}" if self.tzid else ""
        return f"{name}{zone}{more}:{moment:%Y%m%dT%H%M%S}"


def _end(chance: random.Random, kind: _Kind, start: datetime, length: timedelta) -> str:
    if kind.all_day or chance.random() < 0.6:
        return kind.line("DTEND", start + length)
    return f"DURATION:PT{int(length.total_seconds()) // 60}M"


def _extra(chance: random.Random, kind: _Kind, dates: list[datetime]) -> list[str]:
    lines = []
    if len(dates) > 3 and chance.random() < 0.4:
        out = chance.sample(dates[1:], min(3, len(dates) - 2))
        lines += [kind.line("EXDATE", moment) for moment in out]
    if chance.random() < 0.25:
        lines.append(
            kind.line(
                "RDATE", dates[0] + timedelta(days=chance.randint(1, 900), minutes=0 if kind.all_day else 7)
            )
        )
    return lines


def _changes(
    chance: random.Random, kind: _Kind, uid: str, sequence: int, dates: list[datetime], length: timedelta
) -> list[list[str]]:
    if len(dates) < 4 or chance.random() < 0.5:
        return []
    if chance.random() < 0.2:
        moment = chance.choice(dates[1:])
        moved = moment + timedelta(minutes=0 if kind.all_day else 45)
        lines = [
            f"UID:{uid}",
            "SUMMARY:From now on",
            kind.line("RECURRENCE-ID", moment, ";RANGE=THISANDFUTURE"),
            kind.line("DTSTART", moved),
            kind.line("DTEND", moved + length),
            f"SEQUENCE:{sequence + 1}",
        ]
        return [lines]
    events = []
    for moment in chance.sample(dates[1:], chance.randint(1, min(3, len(dates) - 2))):
        moved = moment + timedelta(
            days=chance.randint(-1, 2), minutes=0 if kind.all_day else chance.choice((0, 20, 120))
        )
        lines = [
            f"UID:{uid}",
            "SUMMARY:Changed",
            kind.line("RECURRENCE-ID", moment),
            kind.line("DTSTART", moved),
        ]
        lines.append(kind.line("DTEND", moved + length))
        if chance.random() < 0.25:
            older = [*lines[:3], kind.line("DTSTART", moved + timedelta(days=1)), "SEQUENCE:0"]
            events.append(older)
        events.append([*lines, f"SEQUENCE:{sequence + 1}"])
    return events


_RARE = (
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS=1,2",
    "FREQ=MONTHLY;BYMONTHDAY=31",
    "FREQ=MONTHLY;BYMONTHDAY=-2;INTERVAL=2",
    "FREQ=MONTHLY;BYDAY=2TU,-1FR",
    "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU",
    "FREQ=YEARLY;BYYEARDAY=1,100,-1",
    "FREQ=YEARLY;BYWEEKNO=20,30;BYDAY=MO",
    "FREQ=YEARLY;BYDAY=20MO",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU",
    "FREQ=DAILY;BYMONTH=1,6;BYDAY=MO,WE",
    "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR",
)
_RARE_TIMES = (
    "FREQ=DAILY;BYHOUR=9,17;BYMINUTE=0,30",
    "FREQ=HOURLY;INTERVAL=7",
    "FREQ=WEEKLY;BYDAY=MO;BYHOUR=8,20",
)


def _rule(chance: random.Random, start: datetime, *, all_day: bool) -> str:
    if chance.random() < 0.3:
        return chance.choice(_RARE if all_day else (*_RARE, *_RARE_TIMES))
    frequency = chance.choice(("DAILY", "WEEKLY", "WEEKLY", "MONTHLY", "MONTHLY", "YEARLY"))
    parts = [f"FREQ={frequency}"]
    if chance.random() < 0.4:
        parts.append(f"INTERVAL={chance.choice((2, 3, 4))}")
    day, place = _DAYS[start.weekday()], (start.day - 1) // 7 + 1
    if frequency == "DAILY" and chance.random() < 0.3:
        parts.append(f"BYDAY={','.join({day, *chance.sample(_DAYS, 3)})}")
    if frequency == "WEEKLY":
        parts.append(f"BYDAY={','.join({day, *chance.sample(_DAYS, chance.randint(0, 3))})}")
        parts += [f"WKST={chance.choice(_DAYS)}"] if chance.random() < 0.3 else []
    if frequency == "MONTHLY":
        parts += chance.choice(
            ([], [f"BYDAY={place}{day}"], [f"BYMONTHDAY={start.day},-1"], [f"BYMONTHDAY={start.day}"])
        )
    if frequency == "YEARLY" and chance.random() < 0.5:
        month_place = f";BYDAY={place}{day}" if chance.random() < 0.5 else f";BYMONTHDAY={start.day}"
        parts.append(f"BYMONTH={start.month}{month_place}")
    if chance.random() < 0.3:
        parts.append(f"COUNT={chance.randint(1, 60)}")
    return ";".join(parts)


def _folded(chance: random.Random, lines: list[str]) -> bytes:
    """Lines folded at any octet, inside a character too (RFC 5545 3.1), with one sort of line end."""
    end = chance.choice((b"\r\n", b"\r\n", b"\n"))
    width = chance.choice((75, 75, 20, 11))
    blank = chance.choice((b" ", b" ", b"\t"))
    pieces = []
    for line in lines:
        raw = line.encode()
        parts = [raw[:width]] + [raw[at : at + width - 1] for at in range(width, len(raw), width - 1)]
        pieces.append((end + blank).join(parts))
    return end.join(pieces) + end

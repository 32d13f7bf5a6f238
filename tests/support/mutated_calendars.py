"""Files that were damaged, from a seed: what other people's exports and transfers do to a calendar."""

import random

_TOKENS = (
    b"BEGIN:VEVENT\r\n",
    b"END:VEVENT\r\n",
    b"END:VCALENDAR\r\n",
    b"BEGIN:VTIMEZONE\r\n",
    b"RRULE:FREQ=SECONDLY\r\n",
    b"RRULE:FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30\r\n",
    b"RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\r\n",
    b"RRULE:FREQ=DAILY;COUNT=99999999\r\n",
    b"RRULE:FREQ=DAILY;INTERVAL=0;UNTIL=00000000\r\n",
    b"RRULE:FREQ=YEARLY;BYDAY=99MO,-53TU;BYSETPOS=-366\r\n",
    b"RRULE:FREQ=WEEKLY;UNTIL=99991231T235959Z\r\n",
    b"EXDATE:19700101T000000Z,,x\r\n",
    b"RDATE;VALUE=PERIOD:20260302T090000Z/P99999999D\r\n",
    b"RDATE:99991231T235959,00010101\r\n",
    b"DURATION:-P1D\r\n",
    b"DURATION:P9999999W\r\n",
    b"DTSTART:00010101T000000Z\r\n",
    b"DTSTART:99991231T235959\r\n",
    b"DTSTART;TZID=America/New_York:99991231T235959\r\n",
    b"DTEND;TZID=Asia/Tokyo:00010101T000000\r\n",
    b"DTSTART;VALUE=DATE:20260302T090000\r\n",
    b"RECURRENCE-ID;RANGE=THISANDFUTURE:20260302T090000Z\r\n",
    b"SEQUENCE:-1\r\n",
    b"SEQUENCE:999999999999999999999\r\n",
    b"TZOFFSETTO:+9999\r\n",
    b"TRIGGER:-P99999D\r\n",
    b'ATTENDEE;CN="unclosed:mailto:x@example.com\r\n',
    b"SUMMARY;ENCODING=QUOTED-PRINTABLE:=E4=\r\n=\r\n",
    b"CATEGORIES:" + b"a," * 300 + b"\r\n",
    b"PRIORITY:99999999999\r\n",
    b"\0",
    b"\xff\xfe",
    b"\\",
    b"\r\n \r\n ",
)


def mutated(raw: bytes, seed: int) -> bytes:
    """The file after one to eight damages."""
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 8)):
        at, length = chance.randrange(len(raw) + 1), chance.choice((1, 1, 3, 20, 200))
        match chance.randrange(7):
            case 0:
                raw = raw[:at] + chance.randbytes(length) + raw[at + length :]
            case 1:
                raw = raw[:at] + raw[at + length :]
            case 2:
                raw = raw[:at] + raw[at : at + length] + raw[at:]
            case 3:
                raw = raw[:at]
            case 4:
                lines = raw.split(b"\r\n")
                chance.shuffle(lines)
                raw = b"\r\n".join(lines) if chance.random() < 0.2 else raw
            case _:
                # At the beginning of a line: it becomes a property of its event.
                start = raw.rfind(b"\n", 0, at) + 1
                raw = raw[:start] + chance.choice(_TOKENS) + raw[start:]
    return raw

"""The calendar of an export can be read again, whatever texts are stored (domain.md 15.2)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import icalendar
import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from shared.services.people import export_files
from shared.services.people.export_files import calendar_name, calendar_text

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
BREAKS = (
    "\r\n",
    "\r",
    "\n",
    '"',
    "\\",
    ";",
    ":",
    ",",
    "^n",
    "\x85",
    "\u2028",
    "\x0b",
    "\x1c",
    "\ufeff",
    "x" * 300,
)
#: As PostgreSQL may hold them: anything but NUL and surrogates.
TEXT = st.lists(
    st.one_of(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
        st.sampled_from(BREAKS),
    ),
    max_size=5,
).map("".join)
PERSON = st.fixed_dictionaries({}, optional={"name": st.none() | TEXT, "address": st.none() | TEXT})
ROW = st.fixed_dictionaries(
    {
        "id": st.uuids(),
        "updated_at": st.just(START),
        "start_at": st.just(START),
        "end_at": st.just(START + timedelta(hours=1)),
        "is_all_day": st.booleans(),
        "is_cancelled": st.booleans(),
        "subject": TEXT,
        "body": TEXT,
        "location": TEXT,
        "categories": st.lists(TEXT, max_size=3),
        "sensitivity": st.sampled_from(["normal", "private"]),
        "show_as": st.sampled_from(["free", "busy"]),
        "organizer": st.none() | PERSON,
        "attendees": st.lists(PERSON, max_size=3),
        "reason_code": st.none() | st.just("left_out"),
    }
)
SAMPLE: dict[str, Any] = {
    "id": UUID(int=1),
    "updated_at": START,
    "start_at": START,
    "end_at": START,
    "is_all_day": False,
    "is_cancelled": False,
    "subject": "Review",
    "body": "",
    "location": "",
    "categories": [],
    "sensitivity": "normal",
    "show_as": "busy",
    "organizer": None,
    "attendees": [],
    "reason_code": None,
}


def read(*rows: dict[str, Any]) -> list[icalendar.Event]:
    written = b"".join(export_files.event(row) for row in rows)
    whole = export_files.CALENDAR_HEAD + written + export_files.CALENDAR_TAIL
    # Nothing but the ends of lines looks like one.
    assert whole.count(b"\r") == whole.count(b"\n") == whole.count(b"\r\n")
    calendar = icalendar.Calendar.from_ical(whole)
    events = [each for each in calendar.walk("VEVENT") if isinstance(each, icalendar.Event)]
    assert not calendar.errors
    assert not [event.errors for event in events if event.errors]
    return events


def person_of(value: Any) -> tuple[str, str]:
    return unquote(str(value).removeprefix("mailto:")), str(value.params.get("cn", ""))


def expected(person: dict[str, Any]) -> tuple[str, str]:
    return person.get("address") or "invalid:nomail", calendar_name(person.get("name") or "")


def texts(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


@given(st.lists(ROW, max_size=3))
@example([SAMPLE | {"body": "C:\\New", "location": "\\N"}])
@example([SAMPLE | {"organizer": {"name": "A\\", "address": "a\r\nATTENDEE:b"}}])
@example([SAMPLE | {"attendees": [{"name": "\x01", "address": ""}, {"name": '"x"'}, {}]}])
@example([SAMPLE | {"subject": "a\r\nEND:VEVENT", "categories": ["", "a,b"], "body": "\ufeff𝒳" * 99}])
def test_every_event_is_read_again(rows: list[dict[str, Any]]) -> None:
    events = read(*rows)
    assert [str(event["uid"]) for event in events] == [f"{row['id']}@admin-assistant" for row in rows]
    for event, row in zip(events, rows, strict=True):
        assert str(event["summary"]) == calendar_text(row["subject"])
        assert str(event.get("description", "")) == calendar_text(row["body"])
        assert str(event.get("location", "")) == calendar_text(row["location"])
        written: Any = event.get("categories")
        labels = [str(each) for each in written.cats] if written is not None else []
        assert labels == [calendar_text(each) for each in row["categories"]]
        organizer = [row["organizer"]] if row["organizer"] else []
        assert [person_of(each) for each in texts(event.get("organizer"))] == [*map(expected, organizer)]
        assert [person_of(each) for each in texts(event.get("attendee"))] == [
            *map(expected, row["attendees"])
        ]


@given(ROW)
def test_a_line_is_one_object_and_keeps_every_text(row: dict[str, Any]) -> None:
    written = export_files.line(row)
    assert written.count(b"\n") == 1
    assert {name: orjson.loads(written)[name] for name in ("subject", "body", "attendees")} == {
        name: row[name] for name in ("subject", "body", "attendees")
    }


def test_an_ordinary_address_stays_as_it_is() -> None:
    person = {"name": "Ada Lovelace", "address": "ada.o'neil+x@example.com"}
    assert str(read(SAMPLE | {"organizer": person})[0]["organizer"]) == "mailto:ada.o'neil+x@example.com"

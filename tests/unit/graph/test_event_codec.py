"""Graph's JSON of an event becomes a source event, whatever Graph leaves out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.events.source_event import EventType, source_key
from shared.domain.runs.unread import Unread
from shared.graph.errors import GraphCallError
from shared.graph.event_codec import EVENT_FIELDS, EVENTS
from tests.support.graph_events import UndecodableEventError, decode_event

MINIMAL = {
    "id": "AAA=",
    "start": {"dateTime": "2026-02-01T08:00:00.0000000", "timeZone": "UTC"},
    "end": {"dateTime": "2026-02-01T09:00:00.0000000", "timeZone": "UTC"},
}
HOUR = datetime(2026, 2, 1, 8, tzinfo=UTC), datetime(2026, 2, 1, 9, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 - made aware below


def graph_time(wall: datetime) -> dict[str, str]:
    return {"dateTime": f"{wall.isoformat(timespec='microseconds')}0", "timeZone": "UTC"}


def test_an_event_with_nothing_but_id_and_times() -> None:
    event = decode_event(MINIMAL)
    assert (event.subject, event.body, event.location, event.categories) == ("", "", "", ())
    assert (event.show_as, event.importance, event.sensitivity) == ("busy", "normal", "normal")
    assert (event.organizer, event.attendees) == (None, ())
    assert source_key(event) == "s:AAA="


def test_null_is_as_good_as_absent() -> None:
    nulls: dict[str, Any] = {name: None for name in EVENT_FIELDS if name not in MINIMAL}
    assert decode_event({**MINIMAL, **nulls}) == decode_event(MINIMAL)


@given(
    subject=TEXT,
    body=TEXT,
    location=TEXT,
    categories=st.lists(TEXT, max_size=4),
    start=INSTANTS,
    minutes=st.integers(0, 10_000),
    all_day=st.booleans(),
    cancelled=st.booleans(),
    response=st.sampled_from(["none", "accepted", "declined", "organizer"]),
)
def test_what_graph_says_is_what_we_read(
    subject: str,
    body: str,
    location: str,
    categories: list[str],
    start: datetime,
    minutes: int,
    all_day: bool,
    cancelled: bool,
    response: str,
) -> None:
    end = start + timedelta(minutes=minutes)
    item = {
        "id": "AAA=",
        "type": "singleInstance",
        "subject": subject,
        "body": {"contentType": "text", "content": body},
        "location": {"displayName": location},
        "categories": categories,
        "start": graph_time(start),
        "end": graph_time(end),
        "isAllDay": all_day,
        "isCancelled": cancelled,
        "responseStatus": {"response": response},
    }
    event = decode_event(orjson.loads(orjson.dumps(item)))
    assert (event.subject, event.body, event.body_type, event.location) == (subject, body, "text", location)
    assert event.categories == tuple(categories)
    assert (event.start, event.end) == (start.replace(tzinfo=UTC), end.replace(tzinfo=UTC))
    assert (event.is_all_day, event.is_cancelled) == (all_day, cancelled)
    assert event.is_declined == (response == "declined")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=5,
    ),
    st.sampled_from(EVENT_FIELDS),
)
def test_nonsense_is_read_or_refused_never_something_else(nonsense: Any, field: str) -> None:
    try:
        decode_event({**MINIMAL, field: nonsense})
    except UndecodableEventError as error:
        assert "event" in str(error)  # noqa: PT017 - most nonsense is harmless


@pytest.mark.parametrize("missing", ["id", "start", "end"])
def test_an_event_without_id_or_times_is_refused(missing: str) -> None:
    item = {name: value for name, value in MINIMAL.items() if name != missing}
    with pytest.raises(UndecodableEventError):
        decode_event(item)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ({"end": None}, Unread("event_without_times", "BBB=", datetime(2026, 2, 1, 8, tzinfo=UTC))),
        ({"id": ""}, Unread("event_without_id", None, *HOUR)),
        ({"id": 7, "start": None}, Unread("event_without_id")),
        ({"type": "dinner"}, Unread("undecodable_event", "BBB=", *HOUR)),
        ({"subject": {"text": "no"}, "isAllDay": True}, Unread("undecodable_event", "BBB=", *HOUR, True)),
        (
            {"start": {"dateTime": "2026-02-01T08:00:00", "timeZone": "Nowhere"}},
            Unread("event_without_times", "BBB=", None, datetime(2026, 2, 1, 9, tzinfo=UTC)),
        ),
        ({"start": {"dateTime": "yesterday"}, "end": []}, Unread("event_without_times", "BBB=")),
    ],
)
def test_of_a_page_only_what_is_damaged_is_unread(damage: dict[str, Any], told: Unread) -> None:
    items = [MINIMAL, {**MINIMAL, "id": "BBB=", **damage}, {**MINIMAL, "id": "CCC="}]
    page = EVENTS.page(orjson.dumps({"value": items, "@odata.nextLink": "https://graph/next"}))
    first, second, third = page.items
    assert (first, third) == (decode_event(MINIMAL), decode_event({**MINIMAL, "id": "CCC="}))
    assert second == told
    assert page.next_link == "https://graph/next"


@pytest.mark.parametrize("raw", [b"", b"[]", b"<html>", b'{"value": 3}', b'{"value": [', b'"\xff"'])
def test_what_is_no_page_is_an_unreadable_answer(raw: bytes) -> None:
    with pytest.raises(GraphCallError, match="unreadable_answer"):
        EVENTS.page(raw)


def test_a_page_without_events_is_empty() -> None:
    assert EVENTS.page(b"{}") == EVENTS.page(b'{"value": null}') == ([], None)


def test_an_exception_keeps_its_slot() -> None:
    item = {
        **MINIMAL,
        "type": "exception",
        "seriesMasterId": "MMM=",
        "originalStart": "2026-01-31T08:00:00Z",
    }
    event = decode_event(item)
    assert event.type is EventType.EXCEPTION
    assert source_key(event) == "o:MMM=:2026-01-31"


def test_an_occurrence_without_original_start_lies_in_its_slot() -> None:
    event = decode_event({**MINIMAL, "type": "occurrence", "seriesMasterId": "MMM="})
    assert source_key(event) == "o:MMM=:2026-02-01"


def test_a_single_event_has_no_slot_even_if_graph_names_one() -> None:
    assert decode_event({**MINIMAL, "originalStart": "2026-01-31T08:00:00Z"}).original_start is None


@pytest.mark.parametrize(
    ("wall", "zone", "instant"),
    [
        ("2026-02-01T08:00:00.1234567", "UTC", datetime(2026, 2, 1, 8, 0, 0, 123456, tzinfo=UTC)),
        ("2026-07-01T08:00:00", "W. Europe Standard Time", datetime(2026, 7, 1, 6, tzinfo=UTC)),
        ("2026-07-01T08:00:00", "America/New_York", datetime(2026, 7, 1, 12, tzinfo=UTC)),
        ("2026-03-29T02:30:00", "Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
        ("2026-07-01T08:00:00+02:00", "UTC", datetime(2026, 7, 1, 6, tzinfo=UTC)),
    ],
)
def test_times_become_instants(wall: str, zone: str, instant: datetime) -> None:
    times = {"dateTime": wall, "timeZone": zone}
    assert decode_event({**MINIMAL, "start": times, "end": times}).start == instant


def test_a_time_in_an_unknown_zone_is_refused() -> None:
    times = {"dateTime": "2026-07-01T08:00:00", "timeZone": "tzone://Microsoft/Custom"}
    with pytest.raises(UndecodableEventError, match="event_without_times"):
        decode_event({**MINIMAL, "start": times})

"""What is written to the archive calendar and to our record (domain.md 2.6)."""

import uuid
from copy import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from shared.database.models.appointments import Appointment
from shared.domain.appointments.appointment_record import appointment_record
from shared.domain.copies.archive_copy import (
    ARCHIVE_KEY_PROPERTY,
    ARCHIVE_REVISION_PROPERTY,
    ARCHIVE_SOURCE_PROPERTY,
    CopyPayload,
    copy_payload,
    retimed_copy,
    transaction_id,
)
from shared.domain.events.source_event import EventType, SourceEvent
from shared.domain.json_object import JsonObject
from tests.unit.domain.source_events import NOON, make_all_day, make_event, make_occurrence

CONFIGURATION = uuid.UUID("7d9f1c1e-8f0c-4a43-8a0e-0a3b8f6f2b10")


def payload(event: SourceEvent, *, create: bool = True, generation: int = 0) -> CopyPayload:
    return copy_payload(
        event,
        configuration_id=CONFIGURATION,
        archive_key="a" * 64,
        source_key="s:AAMk1",
        revision="b" * 64,
        generation=generation,
        create=create,
    )


def body_of(event: SourceEvent, *, create: bool = True) -> JsonObject:
    return payload(event, create=create).body


def properties(body: JsonObject) -> dict[str, str]:
    return {p["id"]: p["value"] for p in body["singleValueExtendedProperties"]}


def test_a_copy_carries_the_fields_of_the_rule_and_nothing_that_invites() -> None:
    body = body_of(make_event(show_as="oof", importance="high", sensitivity="private"))
    assert body == {
        "subject": "Design review",
        "body": {"contentType": "html", "content": "<p>Agenda</p>"},
        "start": {"dateTime": "2026-02-03T13:00:00.0000000", "timeZone": "W. Europe Standard Time"},
        "end": {"dateTime": "2026-02-03T14:00:00.0000000", "timeZone": "W. Europe Standard Time"},
        "isAllDay": False,
        "location": {"displayName": "Room 4"},
        "categories": ["Acme - billable"],
        "showAs": "oof",
        "importance": "high",
        "sensitivity": "private",
        "isReminderOn": False,
        "transactionId": transaction_id(CONFIGURATION, "a" * 64, 0),
        "singleValueExtendedProperties": body["singleValueExtendedProperties"],
    }
    assert orjson.loads(orjson.dumps(body)) == body


def test_a_new_copy_says_where_it_comes_from() -> None:
    start = datetime(2026, 2, 3, 9, tzinfo=UTC)
    carried = properties(body_of(make_occurrence("M1", start, start=start + timedelta(hours=2))))
    assert carried[ARCHIVE_KEY_PROPERTY] == "a" * 64
    assert carried[ARCHIVE_REVISION_PROPERTY] == "b" * 64
    assert orjson.loads(carried[ARCHIVE_SOURCE_PROPERTY]) == {
        "configuration": str(CONFIGURATION),
        "key": "s:AAMk1",
        "generation": 0,
        "superseded": False,
        "source": "M1-202602030900",
        "iCalUId": "uid-M1-202602030900",
        "originalStart": "2026-02-03T09:00:00Z",
    }


def test_the_original_start_of_a_single_event_is_its_start() -> None:
    source = orjson.loads(properties(body_of(make_event()))[ARCHIVE_SOURCE_PROPERTY])
    assert source["originalStart"] == "2026-02-03T12:00:00Z"


def test_an_update_changes_content_revision_and_source_but_not_the_key() -> None:
    created, updated = body_of(make_event()), body_of(make_event(), create=False)
    assert "transactionId" not in updated
    told = properties(updated)
    assert told == {
        name: properties(created)[name] for name in (ARCHIVE_REVISION_PROPERTY, ARCHIVE_SOURCE_PROPERTY)
    }
    for name in created.keys() - {"transactionId", "singleValueExtendedProperties"}:
        assert updated[name] == created[name]


def test_a_transaction_id_belongs_to_one_archive_key_and_generation_of_one_configuration() -> None:
    one = transaction_id(CONFIGURATION, "a" * 64, 0)
    assert uuid.UUID(one).version == 5
    assert one == transaction_id(CONFIGURATION, "a" * 64, 0)
    others = (
        transaction_id(CONFIGURATION, "b" * 64, 0),
        transaction_id(CONFIGURATION, "a" * 64, 1),
        transaction_id(uuid.UUID(int=1), "a" * 64, 0),
    )
    assert len({one, *others}) == 4


def test_a_copy_keeps_its_two_original_zones() -> None:
    flight = make_event(hours=8, start_zone="Europe/Amsterdam", end_zone="Eastern Standard Time")
    body = body_of(flight)
    assert body["start"] == {"dateTime": "2026-02-03T13:00:00.0000000", "timeZone": "Europe/Amsterdam"}
    assert body["end"] == {"dateTime": "2026-02-03T15:00:00.0000000", "timeZone": "Eastern Standard Time"}
    assert not payload(flight).zone_reported


@pytest.mark.parametrize("zone", ["tzone://Microsoft/Custom", "Customized Time Zone", "", "Mars/Olympus"])
def test_a_custom_or_unknown_zone_is_written_in_utc_and_reported(zone: str) -> None:
    copy = payload(make_event(start_zone=zone, end_zone=zone))
    assert copy.body["start"] == {"dateTime": "2026-02-03T12:00:00.0000000", "timeZone": "UTC"}
    assert copy.zone_reported


def test_graphs_own_name_of_utc_is_utc_and_not_reported() -> None:
    copy = payload(make_event(start_zone="tzone://Microsoft/Utc", end_zone="tzone://Microsoft/Utc"))
    assert copy.body["end"] == {"dateTime": "2026-02-03T13:00:00.0000000", "timeZone": "UTC"}
    assert not copy.zone_reported


def test_a_wall_time_that_occurs_twice_is_written_in_utc_and_reported() -> None:
    copy = payload(make_event(start=datetime(2026, 10, 25, 0, 30, tzinfo=UTC), hours=3))
    assert copy.body["start"] == {"dateTime": "2026-10-25T00:30:00.0000000", "timeZone": "UTC"}
    assert copy.body["end"] == {
        "dateTime": "2026-10-25T04:30:00.0000000",
        "timeZone": "W. Europe Standard Time",
    }
    assert copy.zone_reported


def test_fractions_of_a_second_are_kept() -> None:
    event = make_event(start=NOON.replace(microsecond=123456))
    assert body_of(event)["start"]["dateTime"] == "2026-02-03T13:00:00.1234560"


@pytest.mark.parametrize(
    "zone", ["Tokyo Standard Time", "Hawaiian Standard Time", "tzone://Microsoft/Custom"]
)
def test_an_all_day_event_stays_on_its_dates_whatever_its_zone(zone: str) -> None:
    event = make_all_day("d", datetime(2026, 2, 3, tzinfo=UTC), days=2, start_zone=zone, end_zone="UTC")
    body = body_of(event)
    assert body["isAllDay"]
    assert body["start"]["dateTime"] == "2026-02-03T00:00:00.0000000"
    assert body["end"]["dateTime"] == "2026-02-05T00:00:00.0000000"
    assert body["start"]["timeZone"] == body["end"]["timeZone"]


def test_show_as_unknown_is_written_as_busy_and_recorded_as_given() -> None:
    event = make_event(show_as="unknown")
    assert body_of(event)["showAs"] == "busy"
    assert appointment_record(event).show_as == "unknown"


def test_a_subject_longer_than_exchange_stores_is_cut_as_exchange_cuts_it_and_recorded_whole() -> None:
    event = make_event(subject="é" * 254 + "🙂" * 4)
    written = body_of(event)["subject"]
    assert written == "é" * 252 + "..."
    assert body_of(make_event(subject="é" * 253 + "🙂"))["subject"] == "é" * 253 + "🙂"
    assert body_of(make_event(subject="é" * 251 + "🙂" * 9))["subject"] == "é" * 251 + "..."
    assert appointment_record(event).subject == event.subject


def test_a_nul_that_postgresql_refuses_is_left_out_everywhere() -> None:
    event = make_event(subject="a\x00b", body="c\x00", location="\x00", categories=("\x00d",))
    assert b"u0000" not in orjson.dumps(body_of(event))
    assert b"u0000" not in orjson.dumps(appointment_record(event).to_json())
    assert body_of(event)["subject"] == "ab"


def test_our_record_has_the_columns_of_an_appointment_and_keeps_the_people() -> None:
    record = appointment_record(make_event(is_cancelled=True), 3).to_json()
    columns = set(Appointment.__table__.columns.keys())
    given_by_the_run = {"id", "owner_id", "configuration_id", "archived_event_id", "revision"}
    kept_by_the_table = {"source_deleted_at", "created_at", "updated_at", "excluded", "unresolved"}
    kept_by_the_table |= {"origin_mailbox_id", "source_subject"}
    assert record.keys() == columns - given_by_the_run - kept_by_the_table
    assert record["start_at"] == "2026-02-03T12:00:00+00:00"
    assert record["attachment_count"] == 3
    assert record["is_cancelled"] is True
    assert record["organizer"] == {
        "name": "Anna Jansen",
        "address": "anna@contoso.example",
        "kind": "required",
        "response": "none",
    }
    assert [attendee["name"] for attendee in record["attendees"]] == ["Anna Jansen", "Bob"]
    assert orjson.loads(orjson.dumps(record)) == record
    assert appointment_record(make_event(organizer=None)).to_json()["organizer"] is None


@pytest.mark.parametrize("zone", ["W. Europe Standard Time", "tzone://Microsoft/Custom", "UTC"])
def test_a_draft_with_new_times_is_the_draft_of_the_event_with_these_times(zone: str) -> None:
    event = make_event(start_zone=zone, end_zone=zone)
    later = replace(event, start=event.start + timedelta(minutes=5), end=event.end + timedelta(hours=1))
    record = appointment_record(event, 2)
    for create in (True, False):
        retimed, changed = retimed_copy(
            payload(event, create=create).body, record, later.start, later.end, "b" * 64
        )
        drafted = payload(later, create=create)
        # The slot by which the copy is found again is the source's own start.
        assert comparable(retimed) == comparable(drafted)
        assert changed == replace(appointment_record(later, 2, source=event), revision="b" * 64)


def comparable(copy: CopyPayload) -> tuple[dict[str, Any], bool]:
    kept = [p for p in copy.body["singleValueExtendedProperties"] if p["id"] != ARCHIVE_SOURCE_PROPERTY]
    return {**copy.body, "singleValueExtendedProperties": kept}, copy.zone_reported


def test_a_recorded_occurrence_that_is_single_now_is_a_single_event() -> None:
    record = appointment_record(make_occurrence("M1", NOON))
    single = record.source("id", NOON, None)
    assert (single.type, single.original_start) == (EventType.SINGLE_INSTANCE, None)
    assert record.source("id", NOON, "M1").type is EventType.OCCURRENCE


def test_a_draft_with_new_times_gets_the_new_revision() -> None:
    event = make_event()
    retimed, _ = retimed_copy(body_of(event), appointment_record(event), event.start, event.end, "c" * 64)
    assert properties(retimed.body)[ARCHIVE_REVISION_PROPERTY] == "c" * 64
    assert properties(retimed.body)[ARCHIVE_KEY_PROPERTY] == "a" * 64

"""The fields of an event's content are listed once; every list that must name them again is checked here."""

from copy import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from shared.database.models.appointments import Appointment
from shared.database.models.event_columns import EventColumns
from shared.domain.appointments.appointment_record import (
    RECORD_COLUMNS,
    AppointmentRecord,
    appointment_record,
)
from shared.domain.copies.copy_body import written_content
from shared.domain.events.event_content import CONTENT_COLUMNS, CONTENT_FIELDS, EventContent, content_of
from shared.domain.events.source_event import SourceEvent
from shared.domain.identity.disclosure import MASKED_CONTENT
from shared.domain.planning.modifications import Modification, ModificationKind
from shared.schemas.appointments import AppointmentResource
from shared.schemas.local_events import LocalEventResource
from tests.unit.domain.source_events import NOON, make_event
from tests.unit.domain.test_archive_copy import payload

TEN = datetime(2026, 2, 3, 10, tzinfo=UTC)
#: A value of each field that no event of the tests has.
OTHER: dict[str, Any] = {
    "subject": "Other",
    "body": "other",
    "body_type": "text",
    "start": TEN,
    "end": NOON.replace(hour=20),
    "start_zone": "Tokyo Standard Time",
    "end_zone": "Tokyo Standard Time",
    "location": "Elsewhere",
    "categories": ("Beta - billable", "Online"),
    "show_as": "tentative",
    "importance": "high",
    "sensitivity": "private",
}


def test_every_table_of_events_has_the_columns_of_the_content() -> None:
    assert tuple(EventColumns.__annotations__) == CONTENT_COLUMNS
    assert set(RECORD_COLUMNS) <= set(Appointment.__table__.columns.keys())


@pytest.mark.parametrize("model", [AppointmentResource, LocalEventResource])
def test_the_api_shows_the_whole_content(model: type[AppointmentResource | LocalEventResource]) -> None:
    assert set(CONTENT_FIELDS) <= model.model_fields.keys()


def test_nothing_of_the_content_but_times_escapes_the_mask() -> None:
    assert MASKED_CONTENT.keys() | {"start", "end", "is_all_day"} == set(CONTENT_FIELDS)


def test_every_field_reaches_the_copy_and_is_read_back() -> None:
    assert OTHER.keys() | {"is_all_day"} == set(CONTENT_FIELDS)
    event = make_event()
    for name, value in OTHER.items():
        changed = replace(event, **{name: value})
        assert written(changed) == content_of(changed), name
    whole_day = make_event(start=NOON.replace(hour=0), hours=24, is_all_day=True, start_zone="UTC")
    assert written(whole_day).is_all_day


def written(event: SourceEvent) -> EventContent:
    return written_content(orjson.dumps(payload(event).body))


def test_a_record_is_read_as_it_was_stored() -> None:
    modification = Modification("s:m", ModificationKind.EXTENDED, NOON, TEN, frozenset({"b", "a"}))
    record = replace(
        appointment_record(make_event(**OTHER), 2, modifications=(modification,)),
        revision="r",
        owning_start=NOON,
        source_gone=True,
        superseded=True,
        consumed_by="s:meeting",
    )
    stored = orjson.loads(orjson.dumps(record.to_json()))
    assert AppointmentRecord.from_json(stored) == record
    assert record.columns().keys() == set(RECORD_COLUMNS)


def test_a_record_of_an_earlier_version_is_read() -> None:
    stored = dict(appointment_record(make_event()).to_json())
    for name in ("modifications", "source_start_at", "source_end_at", "source_type", "source_show_as"):
        del stored[name]
    stored["organizer"] = {"name": "Ann", "address": "ann@example.com"}
    record = AppointmentRecord.from_json(stored)
    assert record.modifications == ()
    assert record.organizer is not None
    assert record.organizer.response == "none"
    # The fields that only some writes have are not stored where they say nothing.
    assert record.to_json().keys() == set(RECORD_COLUMNS) - {"revision", "source_subject"}

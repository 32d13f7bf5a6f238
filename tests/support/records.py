"""What an operation keeps of an event, as the factories and the tests write it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.domain.appointments.appointment_record import AppointmentRecord

#: Monday, 2 March 2026, 09:00 UTC: start of the first event.
START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def record(**columns: Any) -> dict[str, Any]:
    """The ``record`` of an operation: the columns of an appointment, as JSON holds them."""
    defaults: dict[str, Any] = {
        "subject": "Weekly",
        "body": "<p>Notes</p>",
        "body_type": "html",
        "start_at": START.isoformat(),
        "end_at": (START + timedelta(hours=1)).isoformat(),
        "start_zone": "W. Europe Standard Time",
        "end_zone": "W. Europe Standard Time",
        "is_all_day": False,
        "location": "Room 1",
        "categories": ["Acme - billable"],
        "show_as": "busy",
        "importance": "normal",
        "sensitivity": "normal",
        "is_cancelled": False,
        "is_declined": False,
        "organizer": {"name": "Ann", "address": "ann@example.com"},
        "attendees": [{"name": "Bob", "address": "bob@example.com"}],
        "attachment_count": 0,
        "ical_uid": "uid",
        "revision": "revision",
        "modifications": [],
        "source_sensitivity": "normal",
        "source_show_as": "busy",
    }
    return defaults | columns


def recorded(**columns: Any) -> AppointmentRecord:
    """The same as a value."""
    return AppointmentRecord.from_json(record(**columns))

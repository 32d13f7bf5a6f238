"""Values of an event that come from its calendar.

Outlook chooses them, so an answer contains whatever is stored. The description lists the known ones.
"""

from typing import Annotated, Any

from pydantic import Field

from shared.domain.appointments.appointment_record import AppointmentRecord
from shared.domain.events.event_content import CONTENT_FIELDS
from shared.schemas.base import Resource


def _known(*values: str) -> dict[str, list[str]]:
    return {"enum": list(values)}


type ShowAs = Annotated[
    str,
    Field(json_schema_extra=_known("free", "tentative", "busy", "oof", "workingElsewhere", "unknown")),
]
type Importance = Annotated[str, Field(json_schema_extra=_known("low", "normal", "high"))]
type Sensitivity = Annotated[
    str, Field(json_schema_extra=_known("normal", "personal", "private", "confidential"))
]
type BodyType = Annotated[str, Field(json_schema_extra=_known("text", "html"))]
type AttendeeKind = Annotated[
    str, Field(json_schema_extra=_known("required", "optional", "resource", "organizer"))
]
type AttendeeResponse = Annotated[
    str,
    Field(
        json_schema_extra=_known(
            "none", "organizer", "tentativelyAccepted", "accepted", "declined", "notResponded"
        )
    ),
]


def recorded_fields(record: AppointmentRecord | None, model: type[Resource], *beside: str) -> dict[str, Any]:
    """The content of a record that ``model`` shows, except ``beside``, and the organizer's address.

    If nothing is recorded, there is no category and no time. All else is None.
    """
    names = [name for name in CONTENT_FIELDS if name in model.model_fields and name not in beside]
    if record is None:
        nothing = dict.fromkeys(name for name in names if name not in ("start", "end"))
        return {**nothing, "categories": [], "organizer": None}
    found = {name: getattr(record, name) for name in names}
    organizer = record.organizer
    return {**found, "categories": list(record.categories), "organizer": organizer and organizer.address}

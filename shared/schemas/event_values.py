"""Values of an event that come from its calendar.

Outlook chooses them, so an answer contains whatever is stored. The description lists the known ones.
"""

from typing import Annotated

from pydantic import Field


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

"""A copy that another one stands for: it stays, shown ``free``, and counts no time (domain.md 2.16, 2.17)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.domain.archive_copy import ARCHIVE_REVISION_PROPERTY, ARCHIVE_SOURCE_PROPERTY, archive_source


@dataclass(frozen=True, slots=True)
class CopyOrigin:
    """What ``ArchiveSource`` of a copy says beside that it is superseded; ``original_start`` is UTC."""

    configuration_id: UUID
    source_key: str
    source_id: str
    ical_uid: str
    original_start: datetime
    generation: int


def superseding_payload(origin: CopyOrigin, revision: str) -> dict[str, Any]:
    """The body of the PATCH. Everything else of the copy stays, its ``ArchiveKey`` too."""
    source = archive_source(
        origin.configuration_id,
        origin.source_key,
        origin.source_id,
        origin.ical_uid,
        origin.original_start,
        origin.generation,
        superseded=True,
    )
    return {
        "showAs": "free",
        "singleValueExtendedProperties": [
            {"id": ARCHIVE_REVISION_PROPERTY, "value": revision},
            {"id": ARCHIVE_SOURCE_PROPERTY, "value": source},
        ],
    }


def superseded_record(record: Mapping[str, Any], revision: str) -> dict[str, Any]:
    """The record of the operation: what is recorded, shown as the copy is shown from then on."""
    return {**record, "show_as": "free", "revision": revision, "superseded": True}

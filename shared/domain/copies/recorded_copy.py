"""What the map and the record say of one archived event, as a comparison needs it (domain.md 2.15)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.domain.runs.archived_event import ArchivedEventState


@dataclass(frozen=True, slots=True)
class RecordedCopy:
    """A row of the map, and its appointment by column name where there is one.

    ``busy``: a write of it is planned or sent, so that nothing can be said of it yet.
    """

    id: UUID
    configuration_id: UUID
    source_key: str
    archive_key: str
    source_id: str
    original_start: datetime
    state: ArchivedEventState
    copy_id: str | None
    revision: str
    start_at: datetime
    modifications: tuple[Mapping[str, Any], ...]
    busy: bool
    record: Mapping[str, Any] | None = None

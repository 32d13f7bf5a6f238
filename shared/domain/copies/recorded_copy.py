"""The map row and record of one archived event, for comparison (domain.md 2.15)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.domain.runs.archived_event import ArchivedEventState


@dataclass(frozen=True, slots=True)
class RecordedCopy:
    """A map row, and its appointment by column name if there is one."""

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
    #: A write is planned or sent, so the copy cannot be judged yet.
    busy: bool
    record: Mapping[str, Any] | None = None

"""The map row and record of one archived event, for comparison (domain.md 2.15)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.domain.appointments.appointment_record import AppointmentRecord
from shared.domain.planning.modifications import Modification
from shared.domain.runs.archived_event import ArchivedEventState


@dataclass(frozen=True, slots=True)
class RecordedCopy:
    """A map row, and its appointment if there is one."""

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
    modifications: tuple[Modification, ...]
    #: A write is planned or sent, so the copy cannot be judged yet.
    busy: bool
    record: AppointmentRecord | None = None

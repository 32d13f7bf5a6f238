"""What is written for a copy that is made again from our record (domain.md 1, 2.15)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.database.repositories.appointments.appointments import RECORD_COLUMNS


def restored(record: Mapping[str, Any], owning_start: datetime) -> dict[str, Any]:
    """The operation's record for making the copy again, exactly as recorded.

    ``record`` is the appointment by column name, JSON-able. ``owning_start`` is the instant that decides its
    window. A source that was gone stays gone.
    """
    return {column: record.get(column) for column in RECORD_COLUMNS} | {
        "owning_start": owning_start.isoformat(),
        "source_gone": record.get("source_deleted_at") is not None,
    }

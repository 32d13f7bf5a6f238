"""The status of an archived event."""

from enum import StrEnum


class AppointmentStatus(StrEnum):
    """An event is live unless something is known that says otherwise (domain.md 2.1, 2.4)."""

    LIVE = "live"
    CANCELLED = "cancelled"
    DECLINED = "declined"
    SOURCE_DELETED = "source_deleted"

"""What is known of an archived event beside its times."""

from enum import StrEnum


class AppointmentStatus(StrEnum):
    """An event is live as long as nothing is known against it (domain.md 2.1, 2.4)."""

    LIVE = "live"
    CANCELLED = "cancelled"
    DECLINED = "declined"
    SOURCE_DELETED = "source_deleted"

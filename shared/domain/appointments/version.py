"""The version of an appointment, which a client sends back with a change (If-Match)."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def appointment_version(updated_at: datetime) -> int:
    """The version of an appointment that was last changed at this microsecond."""
    return (updated_at - _EPOCH) // timedelta(microseconds=1)

"""When simulated time begins."""

from datetime import UTC, datetime

EPOCH = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)

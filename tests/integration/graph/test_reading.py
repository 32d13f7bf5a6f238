"""What the adapter reads, over real HTTP against the simulator."""

from datetime import UTC, datetime

import pytest

from shared.errors import GraphRefused, NotFound
from shared.graph.calendar_adapter import CalendarAdapter
from shared.graph.usage import track_usage

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
JULY = datetime(2026, 7, 1, tzinfo=UTC)


def event(subject: str, start: str, end: str, zone: str = "UTC", **more: object) -> dict[str, object]:
    return {
        "subject": subject,
        "start": {"dateTime": start, "timeZone": zone},
        "end": {"dateTime": end, "timeZone": zone},
        **more,
    }


def numbered(count: int) -> list[dict[str, object]]:
    return [
        event(f"Event {n}", f"2026-06-{n % 28 + 1:02}T{n % 24:02}:00:00", f"2026-06-{n % 28 + 1:02}T{n % 24:02}:30:00")
        for n in range(count)
    ]


async def read(adapter: CalendarAdapter, tenant, start=JUNE, end=JULY):
    return [page async for page in adapter.read_window(tenant.mailbox, tenant.source, start, end)]


async def test_smoke(adapter, tenant):
    tenant.load(*numbered(3))
    with track_usage() as usage:
        pages = await read(adapter, tenant)
    print(pages, usage)

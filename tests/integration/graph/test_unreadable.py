"""Windows in which Graph cannot read everything: the rest is read, in few requests (domain.md 2.12)."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shared.domain.events.source_event import SourceEvent
from shared.domain.runs.unread import Unread, UnreadEvents
from shared.domain.runs.window import Window
from shared.errors import StoreUnavailable
from shared.graph.calendar_adapter import CalendarAdapter
from shared.graph.window_reading import BY_ID, reached_by
from tests.integration.graph.conftest import QUICK, Tenant
from tests.integration.graph.samples import event
from tests.support.graph_events import decode_event

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
JULY = datetime(2026, 7, 1, tzinfo=UTC)
#: Full reads fail, a light one goes through.
IN_FULL = ["body"]


def half_hours(count: int) -> list[dict[str, Any]]:
    """Events one after the other, from the first of June."""
    return [at(f"Event {n}", JUNE + n * timedelta(minutes=30), 30) for n in range(count)]


def at(subject: str, start: datetime, minutes: int) -> dict[str, Any]:
    """An event of this many minutes."""
    end = start + timedelta(minutes=minutes)
    return event(subject, start.replace(tzinfo=None).isoformat(), end.replace(tzinfo=None).isoformat())


async def read(adapter: CalendarAdapter, tenant: Tenant) -> tuple[list[SourceEvent], list[Unread]]:
    """What was read of June, in the order it came, and what was not."""
    unread = UnreadEvents()
    pages = adapter.read_window(tenant.mailbox, tenant.source, JUNE, JULY, unread)
    found = [each async for page in pages for each in page]
    return found, unread.of_window(Window(JUNE, JULY, ZoneInfo("UTC")))


def corrupt(tenant: Tenant, subject: str, properties: Sequence[str] | None = None, **rule: Any) -> None:
    """No read shows the event of this subject; with properties, none that selects one of them."""
    tenant.fault("corrupt_event", event=subject, properties=properties, times=None, **rule)


@pytest.mark.parametrize("count", [40, 300, 1000])
async def test_of_a_page_only_the_event_fails_that_cannot_be_read(
    adapter: CalendarAdapter, tenant: Tenant, count: int
) -> None:
    tenant.load(*half_hours(count))
    corrupt(tenant, f"Event {count // 3}", IN_FULL)
    found, (unread,) = await read(adapter, tenant)
    assert [each.subject for each in found] == [f"Event {n}" for n in range(count) if n != count // 3]
    start = JUNE + count // 3 * timedelta(minutes=30)
    assert (unread.code, unread.start, unread.end) == (
        "ErrorCorruptData",
        start,
        start + timedelta(minutes=30),
    )
    assert unread.event_id is not None
    # The page and the event are tried as often as any read; beside that: a list, halves, the last few by id.
    extra = tenant.counts.requests - 2 * QUICK.attempts
    assert extra <= 1 + 2 * math.ceil(math.log2(count / BY_ID)) + BY_ID


async def test_every_bad_event_costs_a_logarithm(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.load(*half_hours(500))
    bad = [7, 201, 202, 499]
    for number in bad:
        corrupt(tenant, f"Event {number}", IN_FULL)
    found, unread = await read(adapter, tenant)
    assert len(found) == 496
    assert [each.start for each in unread] == [JUNE + n * timedelta(minutes=30) for n in bad]
    each = 2 * math.ceil(math.log2(500 / BY_ID)) + BY_ID + QUICK.attempts
    assert tenant.counts.requests <= QUICK.attempts + 1 + len(bad) * each


async def test_a_later_page_that_fails_gives_no_event_twice(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.simulator.settings.page_size_max = 40
    tenant.load(*half_hours(100), at("All morning", JUNE, 600))
    corrupt(tenant, "Event 70", IN_FULL)
    found, unread = await read(adapter, tenant)
    wanted = {f"Event {n}" for n in range(100) if n != 70} | {"All morning"}
    assert sorted(each.subject for each in found) == sorted(wanted)
    assert len(unread) == 1


async def test_what_overlaps_a_bad_event_is_read_by_its_id(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.load(*half_hours(60), at("Long", JUNE + timedelta(hours=5), 600))
    corrupt(tenant, "Long", IN_FULL)
    found, (unread,) = await read(adapter, tenant)
    assert [each.subject for each in found] == [f"Event {n}" for n in range(60)]
    assert unread.start == JUNE + timedelta(hours=5)


async def test_events_of_one_start_are_told_apart(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.load(*[at(f"Event {n}", JUNE, 30) for n in range(30)])
    corrupt(tenant, "Event 4", IN_FULL)
    found, (unread,) = await read(adapter, tenant)
    assert len(found) == 29
    assert unread.event_id is not None


async def test_an_all_day_event_of_another_zone_is_not_lost(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.simulator.settings.all_day_matching = "mailbox"
    found = tenant.simulator.state.find_mailbox(tenant.mailbox)
    assert found is not None
    found.time_zone = "America/Los_Angeles"
    fair = event("Fair", "2026-06-10T00:00:00", "2026-06-11T00:00:00", "America/Los_Angeles", isAllDay=True)
    tenant.load(*half_hours(700), fair)
    corrupt(tenant, "Event 432", IN_FULL)
    events, unread = await read(adapter, tenant)
    assert "Fair" in [each.subject for each in events]
    assert (len(events), len(unread)) == (700, 1)


def test_an_all_day_event_says_nothing_of_how_far_a_page_came() -> None:
    """In Kiritimati the eleventh of June begins at ten in the morning of the tenth, UTC."""
    timed = {"id": "t"} | event("Review", "2026-06-10T09:00:00", "2026-06-10T10:00:00")
    fair = {"id": "f"} | event("Fair", "2026-06-11T00:00:00", "2026-06-12T00:00:00", isAllDay=True)
    assert reached_by(JUNE, [decode_event(timed), decode_event(fair)]) == datetime(2026, 6, 10, 9, tzinfo=UTC)
    assert reached_by(JUNE, [decode_event(fair)]) == JUNE


async def test_what_cannot_be_listed_either_leaves_a_quarter_of_an_hour_open(
    adapter: CalendarAdapter, tenant: Tenant
) -> None:
    hour = timedelta(hours=1)
    tenant.load(*[at(f"Event {n}", JUNE + n * hour, 45) for n in range(400)])
    corrupt(tenant, "Event 321")
    found, (slot,) = await read(adapter, tenant)
    assert [each.subject for each in found] == [f"Event {n}" for n in range(400) if n != 321]
    assert slot == Unread("ErrorCorruptData", None, JUNE + 321 * hour, JUNE + 321.75 * hour)
    quarters = math.log2((JULY - JUNE) / timedelta(minutes=15))
    assert tenant.counts.requests <= QUICK.attempts + 2 + 2 * math.ceil(quarters) + 2 * 3


async def test_a_range_that_takes_too_long_is_read_in_smaller_ones(
    adapter: CalendarAdapter, tenant: Tenant
) -> None:
    tenant.load(*half_hours(1400))
    tenant.fault("long_range", longest_hours=100, times=None)
    found, unread = await read(adapter, tenant)
    assert [each.subject for each in found] == [f"Event {n}" for n in range(1400)]
    assert unread == []


@pytest.mark.parametrize("status", [500, 504])
async def test_an_outage_is_none_of_an_event(adapter: CalendarAdapter, tenant: Tenant, status: int) -> None:
    tenant.load(*half_hours(40))
    tenant.fault("status", status=status, times=None)
    with pytest.raises(StoreUnavailable):
        await read(adapter, tenant)
    assert tenant.counts.requests <= 2 * QUICK.attempts + 1


async def test_a_malformed_event_is_named_as_far_as_it_can_be(
    adapter: CalendarAdapter, tenant: Tenant
) -> None:
    tenant.load(*half_hours(5))
    for number, left_out in ((1, ["id"]), (2, ["start"]), (3, ["id", "end"])):
        tenant.fault("malformed_event", event=f"Event {number}", properties=left_out, times=None)
    unread = UnreadEvents()
    pages = adapter.read_window(tenant.mailbox, tenant.source, JUNE, JULY, unread)
    assert [each.subject async for page in pages for each in page] == ["Event 0", "Event 4"]
    assert [slot.code for slot in unread.slots] == ["event_without_id"]
    # Of one nobody knows when it is: it may be anywhere.
    assert unread.holds(JUNE + timedelta(days=20))
    (without_times,) = unread.ids
    assert (await adapter.get_events(tenant.mailbox, None, [without_times], unread)) == {}


async def test_by_id_only_what_cannot_be_read_is_missing(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.load(*half_hours(25))
    events, _ = await read(adapter, tenant)
    corrupt(tenant, "Event 3")
    unread = UnreadEvents()
    found = await adapter.get_events(tenant.mailbox, None, [each.id for each in events], unread)
    assert set(found) == {each.id for each in events if each.subject != "Event 3"}
    assert list(unread.ids) == [events[3].id]
    with pytest.raises(StoreUnavailable):
        await adapter.get_events(tenant.mailbox, None, [events[3].id])

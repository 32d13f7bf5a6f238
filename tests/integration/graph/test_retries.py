"""Reads through trouble: what is tried again, when, and when it is given up."""

import asyncio
import socket
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import StoreRefused, StoreUnavailable
from shared.graph.calendar_adapter import CalendarAdapter
from shared.graph.client import GraphClient
from shared.graph.throttle import Throttle
from shared.settings import Settings
from shared.usage import track_usage
from tests.integration.graph.conftest import QUICK, Tenant
from tests.integration.graph.samples import create, in_june
from tests.support.throttle_gate import InProcessGate

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
JULY = datetime(2026, 7, 1, tzinfo=UTC)


async def subjects(adapter: CalendarAdapter, tenant: Tenant) -> list[str]:
    pages = adapter.read_window(tenant.mailbox, tenant.source, JUNE, JULY)
    return [found.subject async for page in pages for found in page]


async def test_a_throttled_read_waits_as_long_as_it_is_told(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.simulator.settings.told_grace_ms = 0
    tenant.load(*in_june(1))
    tenant.fault("status", status=429, retry_after=1)
    assert await subjects(adapter, tenant) == ["Event 0"]
    assert tenant.counts.round_trips == 2
    assert tenant.counts.requests_while_told_to_wait == 0


@pytest.mark.parametrize(
    "trouble",
    [
        {"kind": "status", "status": 429},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 502},
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 504},
        {"kind": "drop_before"},
        {"kind": "lost_answer"},
        {"kind": "drop_after"},
    ],
    ids=lambda trouble: f"{trouble['kind']} {trouble.get('status', '')}".strip(),
)
async def test_a_page_lost_on_the_way_is_read_again(
    adapter: CalendarAdapter, tenant: Tenant, trouble: dict[str, object]
) -> None:
    tenant.simulator.settings.page_size_max = 2
    tenant.load(*in_june(5))
    tenant.fault(**trouble, match={"path_regex": "calendarView"}, skip=1)  # type: ignore[arg-type]
    assert sorted(await subjects(adapter, tenant)) == [f"Event {n}" for n in range(5)]


async def test_a_service_that_stays_away_is_given_up(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.fault("status", status=503, times=None)
    with track_usage() as usage, pytest.raises(StoreUnavailable):
        await adapter.list_calendars(tenant.mailbox)
    assert tenant.counts.round_trips == QUICK.attempts
    assert usage.round_trips == QUICK.attempts


async def test_a_long_pause_is_handed_to_the_caller_and_kept(
    adapter: CalendarAdapter, tenant: Tenant
) -> None:
    tenant.fault("status", status=429, retry_after=300)
    with pytest.raises(StoreUnavailable) as first:
        await adapter.list_calendars(tenant.mailbox)
    with pytest.raises(StoreUnavailable) as second:
        await adapter.get_mailbox(tenant.mailbox)
    (answer,) = await adapter.send(tenant.mailbox, tenant.archive, [create()], 5)
    for wait in (first.value.retry_after, second.value.retry_after, answer.retry_after):
        assert wait is not None
        assert 290 < wait <= 300
    assert (answer.verdict, answer.code) == ("throttled", "told_to_wait")
    assert tenant.counts.round_trips == 1


async def test_a_pause_of_one_mailbox_is_none_of_another(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.fault("status", status=429, retry_after=300)
    with pytest.raises(StoreUnavailable):
        await adapter.list_calendars(tenant.mailbox)
    assert await adapter.get_mailbox("nobody@example.com") is None


async def test_a_pause_told_to_another_process_is_kept(client: GraphClient, tenant: Tenant) -> None:
    gate = InProcessGate()
    adapter = CalendarAdapter(client, Throttle(gate), QUICK)
    await gate.close_until(tenant.mailbox, datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises(StoreUnavailable):
        await adapter.list_calendars(tenant.mailbox)
    assert tenant.counts.round_trips == 0


async def test_a_pause_is_told_to_other_processes(client: GraphClient, tenant: Tenant) -> None:
    gate = InProcessGate()
    adapter = CalendarAdapter(client, Throttle(gate), QUICK)
    tenant.fault("status", {"in_batch": True}, status=429, retry_after=300)
    await adapter.send(tenant.mailbox, tenant.archive, [create()], 5)
    until = await gate.wait_until(tenant.mailbox)
    assert until is not None
    assert timedelta(seconds=290) < until - datetime.now(UTC) <= timedelta(seconds=300)


async def test_a_refused_token_is_renewed_once(adapter: CalendarAdapter, tenant: Tenant) -> None:
    await adapter.list_calendars(tenant.mailbox)
    tenant.fault("status", status=401)
    assert len(await adapter.list_calendars(tenant.mailbox)) == 2
    assert tenant.simulator.counters.tokens == {"managed_identity": 2}


async def test_tokens_that_stay_refused_are_an_error(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.fault("status", status=401, times=None)
    with pytest.raises(StoreRefused) as caught:
        await adapter.list_calendars(tenant.mailbox)
    assert (caught.value.answered, tenant.counts.round_trips) == (401, 2)


async def test_a_crowd_shares_one_token(adapter: CalendarAdapter, tenant: Tenant) -> None:
    await asyncio.gather(*(adapter.list_calendars(tenant.mailbox) for _ in range(10)))
    assert tenant.simulator.counters.tokens == {"managed_identity": 1}


async def test_of_a_batch_only_the_failed_reads_are_asked_again(
    adapter: CalendarAdapter, tenant: Tenant
) -> None:
    tenant.load(*in_june(20))
    pages = adapter.read_window(tenant.mailbox, tenant.source, JUNE, JULY)
    ids = [found.id async for page in pages for found in page]
    tenant.simulator.counters.reset()
    tenant.fault("status", {"in_batch": True}, status=429, retry_after=1)
    tenant.fault("status", {"in_batch": True}, status=503)
    tenant.fault("missing_subresponse")
    found = await adapter.get_events(tenant.mailbox, None, ids)
    assert None not in found.values()
    assert list(found) == ids
    assert tenant.counts.requests == 23
    assert tenant.counts.requests_while_told_to_wait == 0


async def test_a_refused_read_in_a_batch_is_an_error(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.fault("status", {"in_batch": True}, status=403)
    with pytest.raises(StoreRefused) as caught:
        await adapter.get_events(tenant.mailbox, None, ["some-id"])
    assert caught.value.reason == "ErrorAccessDenied"


async def test_a_token_refused_inside_a_batch_is_renewed(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.load(*in_june(1))
    tenant.fault("status", {"in_batch": True}, status=401)
    pages = adapter.read_window(tenant.mailbox, tenant.source, JUNE, JULY)
    (wanted,) = [found async for page in pages for found in page]
    assert await adapter.get_events(tenant.mailbox, None, [wanted.id]) == {wanted.id: wanted}
    assert tenant.simulator.counters.tokens == {"managed_identity": 2}


async def test_a_mailbox_is_never_asked_more_than_four_things_at_once(
    adapter: CalendarAdapter, tenant: Tenant
) -> None:
    tenant.load(*in_june(30))
    pages = adapter.read_window(tenant.mailbox, tenant.source, JUNE, JULY)
    ids = [found.id async for page in pages for found in page]
    tenant.simulator.settings.latency_ms = 5
    await asyncio.gather(
        *(adapter.list_calendars(tenant.mailbox) for _ in range(9)),
        adapter.get_events(tenant.mailbox, None, ids),
        adapter.send(tenant.mailbox, tenant.archive, [create() for _ in range(8)], 5),
        *(adapter.get_calendar(tenant.mailbox, tenant.archive) for _ in range(9)),
    )
    assert tenant.counts.max_concurrent == 4
    assert tenant.counts.throttled == 0


async def test_a_slow_answer_is_cut_off(settings: Settings, tenant: Tenant) -> None:
    client = GraphClient.create(settings.model_copy(update={"graph_read_timeout": 0.1}))
    try:
        await client.token()
        tenant.fault("delay", delay_ms=500)
        assert len(await CalendarAdapter(client, policy=QUICK).list_calendars(tenant.mailbox)) == 2
    finally:
        await client.close()
    assert tenant.counts.round_trips == 2


async def test_nobody_there(settings: Settings, tenant: Tenant) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1.0"
        client = GraphClient.create(settings.model_copy(update={"graph_base_url": base_url}))
        adapter = CalendarAdapter(client, policy=QUICK)
        try:
            with pytest.raises(StoreUnavailable):
                await adapter.list_calendars(tenant.mailbox)
            (answer,) = await adapter.send(tenant.mailbox, tenant.archive, [create()], 5)
        finally:
            await client.close()
    assert (answer.verdict, answer.code) == ("not_sent", "not_connected")


async def test_plain_http_is_for_this_machine_only(settings: Settings) -> None:
    elsewhere = settings.model_copy(update={"graph_base_url": "http://graph.example.com/v1.0"})
    with pytest.raises(ValueError, match="https"):
        GraphClient.create(elsewhere)

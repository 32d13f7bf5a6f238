"""Writes in one batch: what each answer means, and that nothing is ever sent twice."""

import asyncio
from typing import Any

import pytest

from shared.domain.calendars.calendar_port import WriteVerdict
from shared.graph.calendar_adapter import CalendarAdapter
from shared.graph.client import GraphClient
from shared.graph.throttle import Throttle
from shared.usage import track_usage
from tests.integration.graph.conftest import QUICK, Tenant
from tests.integration.graph.samples import create, event, update

OUTER = {"path_regex": r"^/\$batch"}
INNER = {"in_batch": True}


async def test_twenty_copies_are_one_round_trip_answered_in_order(
    adapter: CalendarAdapter, tenant: Tenant
) -> None:
    writes = [create(f"Copy {n}") for n in range(20)]
    with track_usage() as usage:
        answers = await adapter.send(tenant.mailbox, tenant.archive, writes, 5)
    assert [answer.operation_id for answer in answers] == [write.operation_id for write in writes]
    assert {answer.verdict for answer in answers} == {WriteVerdict.DONE}
    stored = {item.id(immutable=True): item for item in tenant.stored(tenant.archive)}
    assert [stored[answer.copy_id or ""].fields["subject"] for answer in answers] == [
        f"Copy {n}" for n in range(20)
    ]
    assert [stored[answer.copy_id or ""].stamp.etag for answer in answers] == [a.etag for a in answers]
    assert (usage.round_trips, usage.requests, usage.writes) == (1, 20, 20)


async def test_an_update_presumes_its_etag(adapter: CalendarAdapter, tenant: Tenant) -> None:
    (made,) = await adapter.send(tenant.mailbox, tenant.archive, [create()], 5)
    assert made.copy_id is not None
    fresh = update(made.copy_id, made.etag, subject="New")
    (changed,) = await adapter.send(tenant.mailbox, tenant.archive, [fresh], 5)
    assert (changed.verdict, changed.copy_id) == (WriteVerdict.DONE, made.copy_id)
    assert changed.etag not in (None, made.etag)
    (stale,) = await adapter.send(tenant.mailbox, tenant.archive, [fresh], 5)
    assert (stale.verdict, stale.code) == (WriteVerdict.STALE, "ErrorIrresolvableConflict")
    (item,) = tenant.stored(tenant.archive)
    assert item.fields["subject"] == "New"


async def test_an_update_of_a_copy_that_is_gone(adapter: CalendarAdapter, tenant: Tenant) -> None:
    (made,) = await adapter.send(tenant.mailbox, tenant.archive, [create()], 5)
    tenant.simulator.service.store.delete(tenant.stored(tenant.archive)[0])
    (answer,) = await adapter.send(
        tenant.mailbox, tenant.archive, [update(made.copy_id or "", made.etag, subject="New")], 5
    )
    assert (answer.verdict, answer.code) == (WriteVerdict.GONE, "ErrorItemNotFound")


@pytest.mark.parametrize(
    ("fault", "verdict", "effects"),
    [
        ({"kind": "status", "status": 429}, WriteVerdict.THROTTLED, 1),
        ({"kind": "status", "status": 503, "code": "TooManyRequests"}, WriteVerdict.THROTTLED, 1),
        ({"kind": "status", "status": 503, "code": "ApplicationThrottled"}, WriteVerdict.THROTTLED, 1),
        ({"kind": "status", "status": 503}, WriteVerdict.UNKNOWN, 1),
        ({"kind": "status", "status": 500}, WriteVerdict.UNKNOWN, 1),
        ({"kind": "status", "status": 502}, WriteVerdict.UNKNOWN, 1),
        ({"kind": "status", "status": 504}, WriteVerdict.UNKNOWN, 1),
        ({"kind": "missing_subresponse"}, WriteVerdict.UNKNOWN, 2),
        ({"kind": "status", "status": 401}, WriteVerdict.UNAUTHORIZED, 1),
        ({"kind": "status", "status": 400}, WriteVerdict.REFUSED, 1),
        ({"kind": "status", "status": 403}, WriteVerdict.REFUSED, 1),
        ({"kind": "status", "status": 404}, WriteVerdict.GONE, 1),
        ({"kind": "status", "status": 409}, WriteVerdict.STALE, 1),
        ({"kind": "status", "status": 409, "code": "ErrorFolderExists"}, WriteVerdict.REFUSED, 1),
        ({"kind": "status", "status": 412}, WriteVerdict.STALE, 1),
    ],
    ids=lambda value: (
        str(value.get("code") or value.get("status") or value["kind"]) if isinstance(value, dict) else None
    ),
)
async def test_what_an_answer_inside_the_batch_means(
    adapter: CalendarAdapter, tenant: Tenant, fault: dict[str, Any], verdict: WriteVerdict, effects: int
) -> None:
    tenant.fault(**fault, match=INNER)
    answers = await adapter.send(tenant.mailbox, tenant.archive, [create("A"), create("B")], 5)
    assert sorted(answer.verdict for answer in answers) == sorted([WriteVerdict.DONE, verdict])
    assert len(tenant.stored(tenant.archive)) == effects
    assert tenant.counts.round_trips == 1


@pytest.mark.parametrize(
    ("fault", "verdict", "effects"),
    [
        ({"kind": "status", "status": 429}, WriteVerdict.THROTTLED, 0),
        ({"kind": "status", "status": 503, "code": "ApplicationThrottled"}, WriteVerdict.THROTTLED, 0),
        ({"kind": "status", "status": 503}, WriteVerdict.UNKNOWN, 0),
        ({"kind": "status", "status": 500}, WriteVerdict.UNKNOWN, 0),
        ({"kind": "status", "status": 504}, WriteVerdict.UNKNOWN, 0),
        ({"kind": "status", "status": 401}, WriteVerdict.UNAUTHORIZED, 0),
        ({"kind": "status", "status": 400}, WriteVerdict.BATCH_REFUSED, 0),
        ({"kind": "status", "status": 403}, WriteVerdict.BATCH_REFUSED, 0),
        ({"kind": "status", "status": 413}, WriteVerdict.BATCH_REFUSED, 0),
        ({"kind": "drop_before"}, WriteVerdict.UNKNOWN, 0),
        ({"kind": "lost_answer"}, WriteVerdict.UNKNOWN, 2),
        ({"kind": "drop_after"}, WriteVerdict.UNKNOWN, 2),
    ],
    ids=lambda value: (
        str(value.get("code") or value.get("status") or value["kind"]) if isinstance(value, dict) else None
    ),
)
async def test_what_an_answer_to_the_whole_batch_means(
    adapter: CalendarAdapter, tenant: Tenant, fault: dict[str, Any], verdict: WriteVerdict, effects: int
) -> None:
    # On a connection that was used before, as nearly every batch is.
    await adapter.get_mailbox(tenant.mailbox)
    tenant.fault(**fault, match=OUTER)
    answers = await adapter.send(tenant.mailbox, tenant.archive, [create("A"), create("B")], 5)
    assert [answer.verdict for answer in answers] == [verdict, verdict]
    assert len(tenant.stored(tenant.archive)) == effects
    assert tenant.counts.batches == 1


async def test_an_answer_that_takes_too_long_is_unknown(adapter: CalendarAdapter, tenant: Tenant) -> None:
    await adapter.get_mailbox(tenant.mailbox)
    tenant.simulator.settings.latency_ms = 300
    (answer,) = await adapter.send(tenant.mailbox, tenant.archive, [create()], 0.1)
    assert (answer.verdict, answer.code) == (WriteVerdict.UNKNOWN, "timeout")
    assert tenant.counts.batches == 1


async def test_a_batch_too_large_is_refused_whole(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.simulator.settings.max_body_bytes = 5_000
    big = create("Big", body={"contentType": "text", "content": "x" * 6_000})
    answers = await adapter.send(tenant.mailbox, tenant.archive, [create(), big], 5)
    assert {answer.verdict for answer in answers} == {WriteVerdict.BATCH_REFUSED}
    (alone,) = await adapter.send(tenant.mailbox, tenant.archive, [create()], 5)
    assert alone.verdict is WriteVerdict.DONE


async def test_a_retry_after_inside_the_batch_closes_the_mailbox(
    adapter: CalendarAdapter, tenant: Tenant
) -> None:
    tenant.simulator.settings.told_grace_ms = 0
    tenant.fault("status", INNER, status=429, retry_after=1)
    first, second = await adapter.send(tenant.mailbox, tenant.archive, [create(), create()], 5)
    assert sorted([first.verdict, second.verdict]) == [WriteVerdict.DONE, WriteVerdict.THROTTLED]
    assert 1.0 in (first.retry_after, second.retry_after)
    (told,) = await adapter.send(tenant.mailbox, tenant.archive, [create()], 5)
    assert (told.verdict, told.code) == (WriteVerdict.THROTTLED, "told_to_wait")
    assert told.retry_after is not None
    await asyncio.sleep(told.retry_after)
    (sent,) = await adapter.send(tenant.mailbox, tenant.archive, [create()], 5)
    assert sent.verdict is WriteVerdict.DONE
    assert (tenant.counts.batches, tenant.counts.requests_while_told_to_wait) == (2, 0)


@pytest.mark.parametrize("answer_style", ["409", "400"])
@pytest.mark.parametrize("with_id", [True, False])
async def test_a_used_transaction_id_is_a_duplicate(
    adapter: CalendarAdapter, tenant: Tenant, answer_style: Any, with_id: bool
) -> None:
    tenant.simulator.settings.duplicate_transaction = answer_style
    tenant.simulator.settings.existing_event_id_included = with_id
    write = create()
    (made,) = await adapter.send(tenant.mailbox, tenant.archive, [write], 5)
    (again,) = await adapter.send(tenant.mailbox, tenant.archive, [write], 5)
    assert again.verdict is WriteVerdict.DUPLICATE
    assert again.existing_event_id == (made.copy_id if with_id else None)
    assert len(tenant.stored(tenant.archive)) == 1


async def test_a_used_transaction_id_answered_with_the_event_is_done(
    adapter: CalendarAdapter, tenant: Tenant
) -> None:
    tenant.simulator.settings.duplicate_transaction = "201_existing"
    write = create()
    (made,) = await adapter.send(tenant.mailbox, tenant.archive, [write], 5)
    (again,) = await adapter.send(tenant.mailbox, tenant.archive, [write], 5)
    assert (again.verdict, again.copy_id) == (WriteVerdict.DONE, made.copy_id)


@pytest.mark.parametrize("match", [OUTER, INNER], ids=["outer", "inner"])
async def test_after_a_refused_token_the_next_batch_has_a_new_one(
    adapter: CalendarAdapter, tenant: Tenant, match: dict[str, Any]
) -> None:
    tenant.fault("status", match, status=401)
    (refused,) = await adapter.send(tenant.mailbox, tenant.archive, [create()], 5)
    (sent,) = await adapter.send(tenant.mailbox, tenant.archive, [create()], 5)
    assert (refused.verdict, sent.verdict) == (WriteVerdict.UNAUTHORIZED, WriteVerdict.DONE)
    assert tenant.simulator.counters.tokens == {"managed_identity": 2}


async def test_a_bad_event_does_not_harm_its_neighbours(adapter: CalendarAdapter, tenant: Tenant) -> None:
    bad, good = create("Bad", showAs="sleeping"), create("Good")
    refused, done = await adapter.send(tenant.mailbox, tenant.archive, [bad, good], 5)
    assert (refused.verdict, done.verdict) == (WriteVerdict.REFUSED, WriteVerdict.DONE)
    assert refused.code.startswith(("Error", "RequestBody"))


async def test_a_mailbox_too_busy_to_be_asked_was_not_asked(client: GraphClient, tenant: Tenant) -> None:
    throttle = Throttle()
    adapter = CalendarAdapter(client, throttle, QUICK)
    async with throttle.slots(tenant.mailbox, 1):
        answers = await adapter.send(tenant.mailbox, tenant.archive, [create() for _ in range(4)], 0.05)
    assert {answer.verdict for answer in answers} == {WriteVerdict.NOT_SENT}
    assert tenant.counts.batches == 0


async def test_without_a_token_nothing_is_sent(
    adapter: CalendarAdapter, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    (answer,) = await adapter.send(tenant.mailbox, tenant.archive, [create()], 5)
    assert answer.verdict is WriteVerdict.NOT_SENT
    assert tenant.counts.batches == 0


async def test_a_cancelled_batch_is_cancelled(adapter: CalendarAdapter, tenant: Tenant) -> None:
    await adapter.get_mailbox(tenant.mailbox)
    tenant.simulator.settings.latency_ms = 200
    sending = asyncio.create_task(adapter.send(tenant.mailbox, tenant.archive, [create()], 5))
    await asyncio.sleep(0.05)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    tenant.simulator.settings.latency_ms = 0
    (answer,) = await adapter.send(tenant.mailbox, tenant.archive, [create()], 5)
    assert answer.verdict is WriteVerdict.DONE


@pytest.mark.parametrize("count", [0, 21])
async def test_a_batch_holds_one_to_twenty_writes(
    adapter: CalendarAdapter, tenant: Tenant, count: int
) -> None:
    with pytest.raises(ValueError, match="1 to 20"):
        await adapter.send(tenant.mailbox, tenant.archive, [create() for _ in range(count)], 5)
    assert tenant.counts.batches == 0


async def test_no_invitation_ever_leaves(adapter: CalendarAdapter, tenant: Tenant) -> None:
    tenant.load(event("Meeting", "2026-06-01T10:00:00", "2026-06-01T11:00:00"))
    await adapter.send(tenant.mailbox, tenant.archive, [create() for _ in range(3)], 5)
    assert (tenant.counts.invitations_sent, tenant.counts.updates_sent) == (0, 0)

"""The sealer: every committed row once, in a chain per tenant, however its rows and rivals come."""

import asyncio
import logging
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from shared import telemetry
from shared.clock import SystemClock
from shared.database.models.audit import AuditEntry
from shared.domain.identity.caller import Caller
from shared.services.audit import sealing as audit_sealing
from shared.services.audit.sealing import AuditSealer
from shared.triggers import timers
from tests.integration.api.caller import Caller as Client
from tests.integration.archiving.durable import RecordingClient, function_of
from tests.integration.audit.conftest import Audit
from tests.support.factories import START, TENANT, Factory


class Later(SystemClock):
    """A clock that can be moved."""

    offset = timedelta(0)

    def now(self):  # type: ignore[no-untyped-def]
        return super().now() + self.offset


async def test_committed_rows_are_sealed_once(audit: Audit) -> None:
    await audit.write(rows=3)
    assert await audit.sealer.seal() == 3
    assert await audit.sealer.seal() == 0
    await audit.write(rows=2)
    assert await audit.sealer.seal() == 2
    assert await audit.positions() == [1, 2, 3, 4, 5]
    found = await audit.verify()
    assert (found.intact, found.sealed, found.unsealed) == (True, 5, 0)


async def test_each_tenant_has_its_own_chain(audit: Audit) -> None:
    other = uuid4()
    await audit.write(rows=2)
    await audit.write(caller=Caller.system(other, "test"), rows=3)
    assert await audit.sealer.seal() == 5
    assert await audit.positions() == [1, 2]
    async with audit.database.session() as session:
        rows = await session.execute(
            text("SELECT position FROM audit_seals WHERE tenant_id = :t ORDER BY 1"), {"t": other}
        )
        assert list(rows.scalars()) == [1, 2, 3]


async def test_a_row_that_commits_late_is_sealed_later_and_holds_nobody_up(audit: Audit) -> None:
    with telemetry.bind(caller=Caller.system(TENANT, "slow"), correlation="slow"):
        async with audit.database.session() as session:
            await audit.writer.record(session, "a", "r", "late", {})
            await session.flush()
            await audit.write(rows=2)
            assert await audit.sealer.seal() == 2
    assert await audit.sealer.seal() == 1
    found = await audit.verify()
    assert (found.intact, found.sealed, found.unsealed) == (True, 3, 0)


async def test_a_mutation_does_not_wait_for_the_sealer(audit: Audit) -> None:
    await audit.write()
    async with audit.database.session() as sealing:
        await sealing.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended('audit_seals:' || :t, 0))"),
            {"t": str(TENANT)},
        )
        await audit.write()
        # Another worker seals this tenant: not our turn.
        assert await audit.sealer.seal() == 0
    assert await audit.sealer.seal() == 2


async def test_writers_and_sealers_at_once_make_one_whole_chain(
    audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_sealing, "BATCH_ROWS", 7)
    sealers = [AuditSealer(audit.database, audit.clock, audit.anchors) for _ in range(3)]
    writing = True

    async def write() -> None:
        for _ in range(10):
            await audit.write(rows=2)

    async def seal(sealer: AuditSealer) -> None:
        while writing:
            await sealer.seal()

    sealing = [asyncio.create_task(seal(sealer)) for sealer in sealers]
    await asyncio.gather(*(write() for _ in range(4)))
    writing = False
    await asyncio.gather(*sealing)
    await audit.sealer.seal()
    assert await audit.positions() == list(range(1, 81))
    found = await audit.verify()
    assert (found.intact, found.sealed, found.unsealed) == (True, 80, 0)


async def test_a_cancelled_sealer_leaves_a_whole_chain(audit: Audit) -> None:
    await audit.write(rows=20)
    task = asyncio.create_task(audit.sealer.seal())
    await asyncio.sleep(0.003)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await audit.sealer.seal()
    assert await audit.positions() == list(range(1, 21))
    assert (await audit.verify()).intact


async def test_a_backlog_is_sealed_in_bounded_batches_over_several_passes(
    audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_sealing, "BATCH_ROWS", 4)
    monkeypatch.setattr(audit_sealing, "BATCHES", 2)
    async with audit.database.session() as session:
        for _ in range(19):
            await Factory(session).audit_entry(occurred_at=START)
    assert [await audit.sealer.seal() for _ in range(4)] == [8, 8, 3, 0]
    assert (await audit.verify()).intact


async def test_a_row_older_than_any_transaction_is_found_within_the_hour(audit: Audit) -> None:
    clock = Later()
    sealer = AuditSealer(audit.database, clock, audit.anchors)
    await audit.write()
    assert await sealer.seal() == 1
    async with audit.database.session() as session:
        await Factory(session).audit_entry(occurred_at=START)
    assert await sealer.seal() == 0
    clock.offset = timedelta(hours=1, seconds=1)
    assert await sealer.seal() == 1


async def test_one_tenant_that_cannot_be_sealed_does_not_keep_the_others_from_it(
    audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = uuid4()
    await audit.write(rows=2)
    await audit.write(caller=Caller.system(broken, "test"))
    seal_tenant = audit.sealer.seal_tenant

    async def failing(tenant_id: object, **options: object) -> int:
        if tenant_id == broken:
            raise ZeroDivisionError
        return await seal_tenant(tenant_id, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(audit.sealer, "seal_tenant", failing)
    with pytest.raises(ExceptionGroup, match="sealing"):
        await audit.sealer.seal()
    assert await audit.positions() == [1, 2]


async def test_the_end_of_the_chain_is_told_to_the_log(
    audit: Audit, caplog: pytest.LogCaptureFixture
) -> None:
    await audit.write(rows=2)
    with caplog.at_level(logging.INFO, logger="shared.services.audit.sealing"):
        await audit.sealer.seal()
    (record,) = [each for each in caplog.records if "audit sealed" in each.getMessage()]
    told = (record.position, record.hash)  # type: ignore[attr-defined]
    assert told == (2, (await audit.verify()).end_hash)


async def test_what_is_sealed_is_the_row_as_stored(audit: Audit) -> None:
    odd = {
        "float": 1.5,
        "large": 2**53 + 1,
        "small": -0.25,
        "text": "ü\u202e\n\"'",
        "none": None,
        "z": 1,
        "a": 2,
    }
    await audit.write(changes=odd)
    async with audit.database.session() as session:
        session.add(
            AuditEntry(
                id=uuid4(),
                tenant_id=TENANT,
                occurred_at=START,
                actor="a",
                action="a",
                resource_type="r",
                resource_id="",
                outcome="failure",
                correlation_id="",
                changes={},
            )
        )
    assert await audit.sealer.seal() == 2
    assert (await audit.verify()).intact


async def test_the_timer_seals(api: Client, audit: Audit) -> None:
    await audit.write(rows=2)
    await function_of(timers.dispatch)(None, RecordingClient())
    assert await audit.positions() == [1, 2]

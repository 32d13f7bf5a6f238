"""ArchiveOperationRepository."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.runs import ArchiveOperation, ArchiveRun
from shared.database.repositories.archiving.archive_operations import (
    ArchiveOperationRepository,
    ClaimedOperation,
)
from shared.domain.runs.archive_run import OperationAction, OperationState, RunState
from tests.support.factories import START, Factory

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
PLENTY = 3_000_000


@pytest.fixture
async def run(make: Factory) -> ArchiveRun:
    return await make.run(state=RunState.RUNNING)


@pytest.fixture
def operations(session: AsyncSession, run: ArchiveRun) -> ArchiveOperationRepository:
    return ArchiveOperationRepository(session, run.owner_id, run.configuration_id)


def _of_stranger(session: AsyncSession, run: ArchiveRun) -> ArchiveOperationRepository:
    return ArchiveOperationRepository(session, uuid.uuid4(), run.configuration_id)


def _ids(claimed: Sequence[ClaimedOperation]) -> list[uuid.UUID]:
    return [operation.id for operation in claimed]


async def _fresh(session: AsyncSession, operation: ArchiveOperation) -> ArchiveOperation:
    await session.refresh(operation)
    return operation


async def _event(make: Factory, session: AsyncSession, run: ArchiveRun, key: str) -> ArchivedEvent:
    configuration = await session.get_one(ArchiveConfiguration, run.configuration_id)
    return await make.archived_event(configuration, source_key=key)


async def _states(session: AsyncSession, run: ArchiveRun) -> dict[str, str]:
    statement = select(ArchiveOperation).where(ArchiveOperation.run_id == run.id)
    found = await session.execute(statement.execution_options(populate_existing=True))
    return {row.source_key: row.state for row in found.scalars()}


class TestClaim:
    """Planned operations are marked sent, in the order of the calendar."""

    async def test_the_next_ones_are_claimed_by_position_and_once(
        self, operations: ArchiveOperationRepository, make: Factory, run: ArchiveRun, session: AsyncSession
    ) -> None:
        third, first, second = [await make.operation(run, position=n) for n in (3, 1, 2)]
        await make.operation(run, state=OperationState.DRAFT, position=0)
        await make.operation(position=0)
        assert _ids(await operations.claim(run.id, START, 2, PLENTY)) == [first.id, second.id]
        assert _ids(await operations.claim(run.id, START, 2, PLENTY)) == [third.id]
        assert await operations.claim(run.id, START, 2, PLENTY) == []
        marked = await _fresh(session, first)
        assert (marked.state, marked.first_sent_at, marked.last_sent_at) == ("sent", START, START)

    async def test_what_is_claimed_together_fits_into_a_batch(
        self, operations: ArchiveOperationRepository, make: Factory, run: ArchiveRun
    ) -> None:
        sizes = (400, 600, 1, 5_000, 999)
        ids = [(await make.operation(run, payload_bytes=size)).id for size in sizes]
        claims = [_ids(await operations.claim(run.id, START, 20, 1_000)) for _ in range(5)]
        # One that is too large alone is sent alone, so that Graph decides and not we.
        assert claims == [ids[:2], ids[2:3], ids[3:4], ids[4:], []]

    async def test_a_claim_carries_the_exact_body_and_what_the_map_knows(
        self, operations: ArchiveOperationRepository, make: Factory, run: ArchiveRun, session: AsyncSession
    ) -> None:
        event = await _event(make, session, run, "s:known")
        await make.operation(run, event, action="update", if_match='W/"1"', previous_revision="old")
        (claimed,) = await operations.claim(run.id, START, 1, PLENTY)
        assert claimed.payload == '{"subject": "Weekly"}'
        assert (claimed.archive_key, claimed.copy_id) == (event.archive_key, event.copy_id)
        assert (claimed.action, claimed.if_match) == (OperationAction.UPDATE, 'W/"1"')
        assert (claimed.revision, claimed.previous_revision) == ("revision", "old")

    async def test_another_owner_claims_and_sees_nothing(
        self, operations: ArchiveOperationRepository, make: Factory, run: ArchiveRun, session: AsyncSession
    ) -> None:
        planned = await make.operation(run)
        sent = await make.operation(run, state="sent", first_sent_at=START, last_sent_at=START)
        stranger = _of_stranger(session, run)
        later = START + 60 * MINUTE
        assert await stranger.claim(run.id, START, 20, PLENTY) == []
        assert await stranger.claim_resend(later, START - MINUTE, later, 20, PLENTY) == []
        assert await stranger.forgotten(later, 20) == []
        assert await stranger.sent() == 0
        assert await stranger.counts(run.id) == {}
        assert await stranger.remaining(run.id, OperationState.PLANNED) == 0
        assert await stranger.open_keys(uuid.uuid4()) == frozenset()
        await stranger.unsend([sent.id])
        await stranger.restart_sending(sent.id, later, later)
        await stranger.rematch(sent.id, "stolen")
        await stranger.cancel_planned(run.id, START)
        await stranger.clear_unsent(run.id)
        await stranger.discard_rest(run.id)
        assert await _states(session, run) == {planned.source_key: "planned", sent.source_key: "sent"}
        untouched = await _fresh(session, sent)
        assert (untouched.first_sent_at, untouched.if_match) == (START, None)

    async def test_two_claims_at_once_share_nothing(self, database: Database) -> None:
        async with database.session() as session:
            make = Factory(session)
            run = await make.run()
            ids = {(await make.operation(run)).id for _ in range(6)}

        async def claim(*, resend: bool) -> list[uuid.UUID]:
            async with database.session() as session:
                operations = ArchiveOperationRepository(session, run.owner_id, run.configuration_id)
                now = START + MINUTE if resend else START
                claimed = (
                    operations.claim_resend(now, START - MINUTE, now, 6, PLENTY)
                    if resend
                    else operations.claim(run.id, now, 6, PLENTY)
                )
                return _ids(await claimed)

        for resend in (False, True):
            one, other = await asyncio.gather(claim(resend=resend), claim(resend=resend))
            assert set(one) | set(other) == ids
            assert not set(one) & set(other)


class TestReconciling:
    """What is open is sent again while Graph remembers it, and looked up later."""

    async def test_what_graph_remembers_is_resent_and_what_it_may_have_forgotten_is_not(
        self, operations: ArchiveOperationRepository, make: Factory, run: ArchiveRun, session: AsyncSession
    ) -> None:
        now = START + 15 * MINUTE
        remembered_since = now - 10 * MINUTE
        sent: dict[str, Any] = {"state": "sent", "last_sent_at": START + 10 * MINUTE}
        young = await make.operation(run, first_sent_at=remembered_since + SECOND, **sent)
        older_run = await make.run(
            await session.get_one(ArchiveConfiguration, run.configuration_id), state=RunState.COMPLETED
        )
        of_older_run = await make.operation(older_run, first_sent_at=START + 6 * MINUTE, **sent)
        old = await make.operation(run, first_sent_at=remembered_since, **sent)
        await make.operation(run)
        await make.operation(state="sent", first_sent_at=START + 6 * MINUTE, last_sent_at=START)
        resent = await operations.claim_resend(now, remembered_since, now, 20, PLENTY)
        assert _ids(resent) == [young.id, of_older_run.id]
        assert _ids(await operations.forgotten(remembered_since, 20)) == [old.id]
        assert await operations.sent() == 3
        marked = await _fresh(session, young)
        assert (marked.first_sent_at, marked.last_sent_at) == (remembered_since + SECOND, now)

    async def test_nothing_is_resent_twice_in_one_attempt(
        self, operations: ArchiveOperationRepository, make: Factory, run: ArchiveRun
    ) -> None:
        for _ in range(3):
            await make.operation(run, state="sent", first_sent_at=START, last_sent_at=START)
        began = START + MINUTE
        claims = [
            len(await operations.claim_resend(began + n * SECOND, START - MINUTE, began, 2, PLENTY))
            for n in range(3)
        ]
        assert claims == [2, 1, 0]

    async def test_the_forgotten_are_looked_up_longest_unsent_first(
        self, operations: ArchiveOperationRepository, make: Factory, run: ArchiveRun
    ) -> None:
        sent: dict[str, Any] = {"state": "sent", "first_sent_at": START}
        last, first = [await make.operation(run, last_sent_at=START + n * SECOND, **sent) for n in (2, 1)]
        assert _ids(await operations.forgotten(START, 20)) == [first.id, last.id]
        assert _ids(await operations.forgotten(START, 1)) == [first.id]

    async def test_proved_absent_it_is_sent_as_for_the_first_time(
        self, operations: ArchiveOperationRepository, make: Factory, run: ArchiveRun
    ) -> None:
        operation = await make.operation(run, state="sent", first_sent_at=START, last_sent_at=START)
        now = START + 60 * MINUTE
        await operations.restart_sending(operation.id, now, now - SECOND)
        assert await operations.forgotten(now - 10 * MINUTE, 20) == []
        resent = await operations.claim_resend(now, now - 10 * MINUTE, now, 20, PLENTY)
        assert _ids(resent) == [operation.id]

    async def test_what_verifiably_never_left_is_planned_as_if_untouched(
        self, operations: ArchiveOperationRepository, make: Factory, run: ArchiveRun, session: AsyncSession
    ) -> None:
        operation = await make.operation(run)
        done = await make.operation(run, state="done")
        await operations.claim(run.id, START, 20, PLENTY)
        await operations.unsend([operation.id, done.id])
        await operations.unsend([])
        back = await _fresh(session, operation)
        assert (back.state, back.first_sent_at, back.last_sent_at) == ("planned", None, None)
        assert (await _fresh(session, done)).state == "done"
        assert _ids(await operations.claim(run.id, START, 20, PLENTY)) == [operation.id]


class TestChange:
    """What is planned is matched again, or cancelled."""

    async def test_the_next_sending_matches_the_new_etag(
        self, operations: ArchiveOperationRepository, make: Factory, run: ArchiveRun
    ) -> None:
        operation = await make.operation(run, if_match="old")
        await operations.rematch(operation.id, "new")
        assert [o.if_match for o in await operations.claim(run.id, START, 1, PLENTY)] == ["new"]

    async def test_a_cancelled_run_keeps_what_is_in_progress(
        self, operations: ArchiveOperationRepository, make: Factory, run: ArchiveRun, session: AsyncSession
    ) -> None:
        states = ("draft", "planned", "sent", "done")
        made = {state: await make.operation(run, state=state) for state in states}
        await operations.cancel_planned(run.id, START)
        for row in made.values():
            await session.refresh(row)
        assert [row.state for row in made.values()] == ["cancelled", "cancelled", "sent", "done"]
        assert (made["planned"].payload, made["planned"].finished_at) == (None, START)
        assert made["sent"].payload is not None

    async def test_counts(
        self, operations: ArchiveOperationRepository, make: Factory, run: ArchiveRun
    ) -> None:
        for state in ("done", "done", "planned", "cancelled", "failed", "sent"):
            await make.operation(run, state=state)
        await make.operation(run, state="conflict", action="update")
        await make.operation(state="failed")
        assert await operations.counts(run.id) == {
            (OperationAction.CREATE, OperationState.DONE): 2,
            (OperationAction.CREATE, OperationState.PLANNED): 1,
            (OperationAction.CREATE, OperationState.CANCELLED): 1,
            (OperationAction.CREATE, OperationState.FAILED): 1,
            (OperationAction.CREATE, OperationState.SENT): 1,
            (OperationAction.UPDATE, OperationState.CONFLICT): 1,
        }
        assert await operations.remaining(run.id, OperationState.DONE) == 2

    async def test_planned_again_by_a_run_that_is_over_it_is_cancelled(
        self, operations: ArchiveOperationRepository, make: Factory, run: ArchiveRun, session: AsyncSession
    ) -> None:
        configuration = await session.get_one(ArchiveConfiguration, run.configuration_id)
        over = await make.run(configuration, state=RunState.COMPLETED)
        orphan, sent = await make.operation(over), await make.operation(over, state="sent")
        carried = await make.operation(run)
        ids = [orphan.id, sent.id, carried.id]
        await _of_stranger(session, run).cancel_orphans(ids, START)
        assert (await _fresh(session, orphan)).state == "planned"
        await operations.cancel_orphans(ids, START)
        await operations.cancel_orphans([], START)
        states = [(await _fresh(session, each)).state for each in (orphan, sent, carried)]
        assert states == ["cancelled", "sent", "planned"]

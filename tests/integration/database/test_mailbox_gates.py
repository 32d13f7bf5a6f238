"""MailboxGateRepository."""

import asyncio
import uuid
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.database.repositories.archiving.mailbox_gates import Lease, MailboxGateRepository
from tests.support.factories import START, Factory

SECOND = timedelta(seconds=1)
MAILBOX = uuid.uuid4()
ONE = uuid.uuid4()
OTHER = uuid.uuid4()


@pytest.fixture
def gates(session: AsyncSession) -> MailboxGateRepository:
    return MailboxGateRepository(session)


async def _taken(gates: MailboxGateRepository, holder: uuid.UUID, at: timedelta = timedelta(0)) -> Lease:
    taken = await gates.acquire(MAILBOX, holder, START + at, START + at + 45 * SECOND)
    assert taken is not None
    return taken[0]


async def test_a_lease_that_runs_keeps_everybody_else_out(gates: MailboxGateRepository) -> None:
    await _taken(gates, ONE)
    late = START + 44 * SECOND
    assert await gates.acquire(MAILBOX, OTHER, late, late + 45 * SECOND) is None
    # Not even the same holder takes it twice: a second execution of an activity is somebody else.
    assert await gates.acquire(MAILBOX, ONE, late, late + 45 * SECOND) is None
    assert await gates.acquire(uuid.uuid4(), OTHER, late, late + 45 * SECOND) is not None


async def test_an_expired_lease_is_taken_over_and_the_former_holder_loses_everything(
    gates: MailboxGateRepository,
) -> None:
    former = await _taken(gates, ONE)
    # At its very end it has run out.
    present = await _taken(gates, OTHER, 45 * SECOND)
    assert present.fence > former.fence
    assert await gates.renew(former, START + timedelta(hours=1)) == (False, None)
    assert await gates.hold(former) is False
    await gates.release(former)
    assert await gates.hold(present) is True
    assert await gates.acquire(MAILBOX, ONE, START + 46 * SECOND, START + 90 * SECOND) is None


async def test_a_renewed_lease_lasts_longer(gates: MailboxGateRepository) -> None:
    lease = await _taken(gates, ONE)
    assert await gates.renew(lease, START + 90 * SECOND) == (True, None)
    assert await gates.acquire(MAILBOX, OTHER, START + 89 * SECOND, START + 150 * SECOND) is None
    await _taken(gates, OTHER, 90 * SECOND)


async def test_a_lease_given_back_is_free_at_once_under_a_higher_fence(gates: MailboxGateRepository) -> None:
    first = await _taken(gates, ONE)
    await gates.release(first)
    second = await _taken(gates, ONE, SECOND)
    assert second.fence > first.fence
    # The same holder's former lease is lost all the same.
    assert await gates.hold(first) is False
    assert (await gates.renew(first, START + 90 * SECOND))[0] is False


async def test_a_pause_is_never_shortened(gates: MailboxGateRepository) -> None:
    assert await gates.not_before(MAILBOX) is None
    await gates.close_until(MAILBOX, START + 30 * SECOND)
    await gates.close_until(MAILBOX, START + 10 * SECOND)
    assert await gates.not_before(MAILBOX) == START + 30 * SECOND
    await gates.close_until(MAILBOX, START + 60 * SECOND)
    assert await gates.not_before(MAILBOX) == START + 60 * SECOND
    assert await gates.not_before(uuid.uuid4()) is None


async def test_a_holder_is_told_of_the_pause_and_the_pause_outlives_the_lease(
    gates: MailboxGateRepository,
) -> None:
    lease = await _taken(gates, ONE)
    await gates.close_until(MAILBOX, START + 300 * SECOND)
    assert await gates.renew(lease, START + 60 * SECOND) == (True, START + 300 * SECOND)
    await gates.release(lease)
    assert await gates.not_before(MAILBOX) == START + 300 * SECOND
    taken = await gates.acquire(MAILBOX, OTHER, START + 61 * SECOND, START + 100 * SECOND)
    assert taken is not None
    assert taken[1] == START + 300 * SECOND


async def test_a_gate_without_a_lease_can_be_taken(gates: MailboxGateRepository, make: Factory) -> None:
    gate = await make.gate(not_before=START + SECOND)
    taken = await gates.acquire(gate.mailbox_id, ONE, START, START + 45 * SECOND)
    assert taken is not None
    assert taken[1] == START + SECOND


async def test_of_many_that_want_a_mailbox_at_once_one_gets_it(database: Database) -> None:
    async def claim() -> bool:
        async with database.session() as session:
            taken = await MailboxGateRepository(session).acquire(
                MAILBOX, uuid.uuid4(), START, START + 45 * SECOND
            )
            return taken is not None

    assert sorted(await asyncio.gather(*(claim() for _ in range(5)))) == [False] * 4 + [True]


async def test_nobody_takes_a_lease_over_while_a_change_under_it_is_being_committed(
    database: Database,
) -> None:
    async with database.session() as session:
        lease = await _taken(MailboxGateRepository(session), ONE)
    expired = START + 60 * SECOND

    async def take_over() -> int:
        async with database.session() as other:
            taken = await MailboxGateRepository(other).acquire(MAILBOX, OTHER, expired, expired + 45 * SECOND)
            assert taken is not None
            return taken[0].fence

    async with database.session() as session:
        assert await MailboxGateRepository(session).hold(lease)
        taking = asyncio.create_task(take_over())
        done, _ = await asyncio.wait([taking], timeout=0.2)
        assert not done
    assert await taking > lease.fence


async def test_two_changes_under_one_lease_do_not_wait_for_each_other(database: Database) -> None:
    async with database.session() as session:
        lease = await _taken(MailboxGateRepository(session), ONE)
    async with database.session() as first, database.session() as second:
        assert await MailboxGateRepository(first).hold(lease)
        async with asyncio.timeout(5):
            assert await MailboxGateRepository(second).hold(lease)

"""The lease of a mailbox: the right to send to it (design.md, Apply)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.archiving.mailbox_gates import Lease, MailboxGateRepository, WriteTurn
from shared.services.archiving.context import ArchivingPorts

LONGEST_WAIT_SECONDS = 20.0


class LeaseLost(Exception):
    """Another holder took the lease: stop and write nothing more."""


class HeldLease:
    """A held lease. Each transaction that changes state calls ``renew``, ``take_turn`` or ``hold``.

    These calls come first in the transaction and lock the gate's row until it ends. So nobody can take the
    lease while a change under it is being committed.
    """

    def __init__(
        self, ports: ArchivingPorts, lease: Lease, until: datetime, not_before: datetime | None
    ) -> None:
        self._ports = ports
        self._lease = lease
        self._until = until
        self.not_before = not_before

    async def renew(self, session: AsyncSession) -> None:
        """Extend the lease in the caller's transaction. Raises LeaseLost."""
        until = self._ports.clock.now() + timedelta(seconds=self._ports.settings.mailbox_lease_seconds)
        held, not_before = await MailboxGateRepository(session).renew(self._lease, until)
        if not held:
            raise LeaseLost
        self._until = until
        self.not_before = not_before

    async def take_turn(self, session: AsyncSession, owner_id: UUID, run_id: UUID) -> WriteTurn:
        """As ``renew``, and no period of the owner is locked until the transaction ends. Raises LeaseLost."""
        until = self._ports.clock.now() + timedelta(seconds=self._ports.settings.mailbox_lease_seconds)
        turn = await MailboxGateRepository(session).take_turn(self._lease, until, owner_id, run_id)
        if turn is None:
            raise LeaseLost
        self._until = until
        self.not_before = turn.not_before
        return turn

    async def hold(self, session: AsyncSession) -> None:
        """Check that the lease is still ours in this transaction. Raises LeaseLost."""
        if not await MailboxGateRepository(session).hold(self._lease):
            raise LeaseLost

    async def cover_one_batch(self) -> None:
        """Renew if the rest of the lease is shorter than a whole batch may take. Raises LeaseLost."""
        left = (self._until - self._ports.clock.now()).total_seconds()
        if left <= self._ports.settings.whole_batch_seconds:
            async with self._ports.database.session() as session:
                await self.renew(session)

    async def wait_out_pause(self) -> datetime | None:
        """Wait until the mailbox's pause is over. A long wait is returned instead, for a durable timer."""
        if self.not_before is None:
            return None
        wait = (self.not_before - self._ports.clock.now()).total_seconds()
        if wait > LONGEST_WAIT_SECONDS:
            return self.not_before
        await self._ports.clock.sleep(wait)
        return None

    async def close_mailbox_until(self, until: datetime) -> None:
        """Make every process wait for the mailbox's Retry-After."""
        async with self._ports.database.session() as session:
            await MailboxGateRepository(session).close_until(self._lease.mailbox_id, until)
        self.not_before = until if self.not_before is None else max(self.not_before, until)


@asynccontextmanager
async def mailbox_lease(ports: ArchivingPorts, mailbox_id: UUID) -> AsyncIterator[HeldLease | None]:
    """The mailbox's lease, released at the end. None while another holder has it.

    After a cancellation the lease is not released but expires, because a request may still be in flight.
    """
    now = ports.clock.now()
    until = now + timedelta(seconds=ports.settings.mailbox_lease_seconds)
    async with ports.database.session() as session:
        taken = await MailboxGateRepository(session).acquire(mailbox_id, uuid4(), now, until)
    if taken is None:
        yield None
        return
    lease, not_before = taken
    try:
        yield HeldLease(ports, lease, until, not_before)
    except Exception:
        await _release(ports, lease)
        raise
    await _release(ports, lease)


async def _release(ports: ArchivingPorts, lease: Lease) -> None:
    async with ports.database.session() as session:
        await MailboxGateRepository(session).release(lease)

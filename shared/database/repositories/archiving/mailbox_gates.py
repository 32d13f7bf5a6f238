"""Who may write to a mailbox, and when Graph accepts requests again (design.md, Apply)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_ACQUIRE = text("""
    INSERT INTO mailbox_gates AS gate (mailbox_id, holder, fence, lease_until)
    VALUES (:mailbox, :holder, 1, :until)
    ON CONFLICT (mailbox_id) DO UPDATE
       SET holder = EXCLUDED.holder, fence = gate.fence + 1, lease_until = EXCLUDED.lease_until
     WHERE gate.lease_until IS NULL OR gate.lease_until <= :now
    RETURNING fence, not_before
""")
_RENEW = text("""
    UPDATE mailbox_gates SET lease_until = :until
     WHERE mailbox_id = :mailbox AND fence = :fence AND holder = :holder
    RETURNING not_before
""")
# The turn of writers against period locking is taken once the lease is known to be ours.
_TAKE_TURN = text("""
    WITH gate AS (UPDATE mailbox_gates SET lease_until = :until
                   WHERE mailbox_id = :mailbox AND fence = :fence AND holder = :holder
                  RETURNING not_before)
    SELECT gate.not_before, COALESCE(run.cancel_requested, false) AS cancel_requested,
           CAST(pg_advisory_xact_lock_shared(hashtextextended(CAST(:owner AS text), 4)) AS text) AS turn
      FROM gate LEFT JOIN archive_runs run ON run.id = :run AND run.owner_id = CAST(:owner AS uuid)
""")
_HOLD = text("""
    SELECT fence FROM mailbox_gates
     WHERE mailbox_id = :mailbox AND fence = :fence AND holder = :holder FOR SHARE
""")
_RELEASE = text("""
    UPDATE mailbox_gates SET holder = NULL, lease_until = NULL
     WHERE mailbox_id = :mailbox AND fence = :fence AND holder = :holder
""")
_CLOSE = text("""
    INSERT INTO mailbox_gates AS gate (mailbox_id, not_before) VALUES (:mailbox, :until)
    ON CONFLICT (mailbox_id) DO UPDATE
       SET not_before = GREATEST(COALESCE(gate.not_before, EXCLUDED.not_before), EXCLUDED.not_before)
""")
_NOT_BEFORE = text("SELECT not_before FROM mailbox_gates WHERE mailbox_id = :mailbox")


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write to one mailbox. Every state change under it names ``fence``."""

    mailbox_id: UUID
    holder: UUID
    fence: int


@dataclass(frozen=True, slots=True)
class WriteTurn:
    """A transaction's turn to write to a mailbox: until when Graph wants a pause, and whether to stop."""

    not_before: datetime | None
    cancel_requested: bool


class MailboxGateRepository:
    """The ``mailbox_gates`` table. A gate belongs to a mailbox, so callers pass mailbox ids."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def acquire(
        self, mailbox_id: UUID, holder: UUID, now: datetime, until: datetime
    ) -> tuple[Lease, datetime | None] | None:
        """Take the lease until ``until``. None while another holder's lease is valid."""
        row = (
            await self._session.execute(
                _ACQUIRE, {"mailbox": mailbox_id, "holder": holder, "now": now, "until": until}
            )
        ).one_or_none()
        return None if row is None else (Lease(mailbox_id, holder, row.fence), row.not_before)

    async def renew(self, lease: Lease, until: datetime) -> tuple[bool, datetime | None]:
        """Extend the lease. ``(False, None)`` if it was lost. Otherwise also returns ``not_before``."""
        row = (
            await self._session.execute(
                _RENEW,
                {"mailbox": lease.mailbox_id, "fence": lease.fence, "holder": lease.holder, "until": until},
            )
        ).one_or_none()
        return (False, None) if row is None else (True, row.not_before)

    async def take_turn(
        self, lease: Lease, until: datetime, owner_id: UUID, run_id: UUID
    ) -> WriteTurn | None:
        """Extend the lease and take the owner's turn of writing, in one statement. None if it was lost.

        Until the transaction ends, no period of the owner is locked (domain.md 2.8).
        """
        row = (
            await self._session.execute(
                _TAKE_TURN,
                {
                    "mailbox": lease.mailbox_id,
                    "fence": lease.fence,
                    "holder": lease.holder,
                    "until": until,
                    "owner": str(owner_id),
                    "run": run_id,
                },
            )
        ).one_or_none()
        return None if row is None else WriteTurn(row.not_before, row.cancel_requested)

    async def hold(self, lease: Lease) -> bool:
        """Lock the gate until the transaction ends. False if the lease was lost."""
        row = await self._session.execute(
            _HOLD, {"mailbox": lease.mailbox_id, "fence": lease.fence, "holder": lease.holder}
        )
        return row.one_or_none() is not None

    async def release(self, lease: Lease) -> None:
        """Release the lease. Does nothing if it was lost."""
        await self._session.execute(
            _RELEASE, {"mailbox": lease.mailbox_id, "fence": lease.fence, "holder": lease.holder}
        )

    async def close_until(self, mailbox_id: UUID, until: datetime) -> None:
        """Make every process respect Graph's Retry-After. An earlier ``until`` never shortens a later one."""
        await self._session.execute(_CLOSE, {"mailbox": mailbox_id, "until": until})

    async def not_before(self, mailbox_id: UUID) -> datetime | None:
        """The instant before which nothing may be sent to the mailbox."""
        return (await self._session.execute(_NOT_BEFORE, {"mailbox": mailbox_id})).scalar_one_or_none()

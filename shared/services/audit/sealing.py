"""Seals committed audit rows into their tenant's chain (domain.md 7.1). No mutation waits for it.

After the commit, the new end of a chain is also written to storage. If the chain no longer contains the
previously stored end, it was cut. Then the stored end is kept, because verification needs it as evidence.
"""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.repositories.audit.audit_seals import AuditSealRepository
from shared.domain.audit.chain import Link, link
from shared.errors import Unavailable
from shared.services.audit.anchors import Anchor, AuditAnchors

BATCH_ROWS = 500
#: The number of batches of one tenant in one pass. The rest follows in the next minute.
BATCHES = 40
#: Most passes read only rows of this time. Nothing commits later than this after its instant.
_RECENT = timedelta(days=1)
#: For exceptions, one pass in this time reads every row.
_EVERYTHING_EVERY = timedelta(hours=1)
_log = logging.getLogger(__name__)


class AuditSealer:
    """The sealer of one worker. Only one worker at a time seals a tenant."""

    def __init__(self, database: Database, clock: Clock, anchors: AuditAnchors) -> None:
        self._database = database
        self._clock = clock
        self._anchors = anchors
        self._everything_at: datetime | None = None

    async def seal(self) -> int:
        """Seal what is committed and not sealed, for every tenant. Returns the number of rows.

        A tenant that fails does not block the others. Raises ExceptionGroup at the end if any failed.
        """
        now = self._clock.now()
        everything = self._everything_at is None or now - self._everything_at >= _EVERYTHING_EVERY
        async with self._database.session() as session:
            tenants = await AuditSealRepository(session).tenants_unscoped()
        sealed, whole, failures = 0, True, list[Exception]()
        for tenant_id in tenants:
            try:
                rows = await self.seal_tenant(tenant_id, since=None if everything else now - _RECENT)
                sealed += rows
                whole = whole and rows < BATCHES * BATCH_ROWS
            except Exception as failure:
                failures.append(failure)
        if failures:
            raise ExceptionGroup("sealing the audit", failures)
        if everything and whole:
            self._everything_at = now
        return sealed

    async def seal_tenant(self, tenant_id: UUID, *, since: datetime | None = None) -> int:
        """Seal the tenant's rows (since an instant, if given) in batches. Returns the number of rows.

        Returns early if another worker seals this tenant.
        """
        sealed, after, newest = 0, None, None
        for _ in range(BATCHES):
            async with self._database.session() as session:
                seals = AuditSealRepository(session)
                if not await seals.try_lock(tenant_id):
                    break
                rows = await seals.unsealed(tenant_id, since, after, BATCH_ROWS)
                if not rows:
                    break
                links: list[Link] = []
                end = await seals.last(tenant_id)
                for row in rows:
                    end = link(end, row)
                    links.append(end)
                await seals.add(tenant_id, links)
            sealed += len(rows)
            after = (rows[-1]["occurred_at"], rows[-1]["id"])
            newest = links[-1]
            _tell_end(tenant_id, newest)
            if len(rows) < BATCH_ROWS:
                break
        if newest is not None:
            await self._anchor(tenant_id, newest)
        return sealed

    async def _anchor(self, tenant_id: UUID, end: Link) -> None:
        """Store the new end, unless the chain has lost the stored one."""
        try:
            kept = await self._anchors.read(tenant_id)
            if kept is not None and not await self._holds(tenant_id, kept):
                _log.error(
                    "the audit chain does not hold position %s, which was sealed before",
                    kept.position,
                    extra={"tenant_id": str(tenant_id), "position": kept.position},
                )
            elif kept is None or kept.position < end.position:
                await self._anchors.write(tenant_id, Anchor(end.position, end.hash))
        except Unavailable as away:
            # The seal is valid. The next one is stored again.
            _log.warning("the audit's end cannot be kept in storage: %s", away)

    async def _holds(self, tenant_id: UUID, kept: Anchor) -> bool:
        async with self._database.session() as session:
            return await AuditSealRepository(session).hash_at(tenant_id, kept.position) == kept.hash


def _tell_end(tenant_id: UUID, end: Link) -> None:
    # Logged outside the database, where nobody can cut it together with the chain's end.
    _log.info(
        "audit sealed up to position %s",
        end.position,
        extra={"tenant_id": str(tenant_id), "position": end.position, "hash": end.hash},
    )

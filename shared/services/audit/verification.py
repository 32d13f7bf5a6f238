"""Checks a tenant's audit chain from its first position to its end (domain.md 7.1)."""

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.repositories.audit.audit_seals import AuditSealRepository
from shared.domain.audit.chain import Break, ChainCheck
from shared.domain.identity.caller import Caller
from shared.schemas.audit import AuditBreak, AuditVerification, AuditVerificationQuery
from shared.services.audit.anchors import AuditAnchors
from shared.services.identity.access import Access

#: Rows that are read in one transaction, and hashed without a break.
BATCH_ROWS = 500


class AuditVerifier:
    """``audit verify``: reads the chain in bounded batches, each in its own transaction."""

    def __init__(self, database: Database, clock: Clock, anchors: AuditAnchors) -> None:
        self._database = database
        self._clock = clock
        self._anchors = anchors

    async def verify(self, caller: Caller, query: AuditVerificationQuery) -> AuditVerification:
        """Follow the chain of the caller's tenant up to its first fault. Also reports the unsealed tail.

        A chain alone cannot show that its end was cut off. The end in storage shows it, and the known end in
        ``query``. Raises Unavailable if storage does not answer.
        """
        async with self._database.session() as session:
            await Access.of(session, caller)
        tenant_id, check = caller.tenant_id, ChainCheck()
        # Read before the chain, so the chain must contain at least this position.
        anchor = await self._anchors.read(tenant_id)
        fault = await self._follow(caller, check)
        async with self._database.session() as session:
            seals = AuditSealRepository(session)
            tail = await seals.tail(tenant_id)
            broken = _break(fault)
            if broken is None and query.position is not None:
                known = await seals.hash_at(tenant_id, query.position)
                if known != query.hash:
                    broken = AuditBreak(position=query.position, audit_id=None, reason_code="known_end")
            if broken is None and anchor is not None:
                kept = await seals.hash_at(tenant_id, anchor.position)
                if kept != anchor.hash:
                    broken = AuditBreak(position=anchor.position, audit_id=None, reason_code="kept_end")
        return AuditVerification(
            intact=broken is None,
            sealed=check.last.position if check.last else 0,
            end_hash=check.last.hash if check.last else None,
            broken=broken,
            unsealed=tail.rows,
            oldest_unsealed_at=tail.oldest,
            checked_at=self._clock.now(),
        )

    async def _follow(self, caller: Caller, check: ChainCheck) -> Break | None:
        position = 0
        while True:
            async with self._database.session() as session:
                links = await AuditSealRepository(session).chain(caller.tenant_id, position, BATCH_ROWS)
            for link, row in links:
                if (fault := check.follow(link, row)) is not None:
                    return fault
            if len(links) < BATCH_ROWS:
                return None
            position = links[-1][0].position


def _break(found: Break | None) -> AuditBreak | None:
    if found is None:
        return None
    return AuditBreak(position=found.position, audit_id=found.audit_id, reason_code=found.fault.value)

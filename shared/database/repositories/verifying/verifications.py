"""Comparisons of source, record and archive calendar (domain.md 2.15)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import orjson
from sqlalchemy import select, text, tuple_, update

from shared.database.models.verifications import Verification
from shared.database.repositories.base import DrivenRepository, Keyset, page
from shared.domain.verifying.verification import Explained, VerificationState

_OPEN = (VerificationState.QUEUED, VerificationState.RUNNING)
_BEGIN = text("""
    UPDATE verifications SET state = 'running', started_at = COALESCE(started_at, :now)
     WHERE id = :verification AND state IN ('queued', 'running') RETURNING started_at
""")
_BEGIN_ATTEMPT = text("""
    UPDATE verifications SET attempt = attempt + 1 WHERE id = :verification AND state = 'running'
    RETURNING attempt
""")
_HOLD = text("""
    SELECT id FROM verifications WHERE id = :verification AND attempt = :attempt AND state = 'running'
       FOR NO KEY UPDATE
""")
_ADVANCE = text("""
    UPDATE verifications SET compared_until = :until, progress = GREATEST(progress, :percent),
           source_events = source_events + :sources, records = records + :records, copies = copies + :copies,
           explained = CAST(:explained AS jsonb)
     WHERE id = :verification AND attempt = :attempt AND state = 'running'
""")
_ADD_USAGE = text("""
    UPDATE verifications SET graph_requests = graph_requests + :requests, round_trips = round_trips + :trips
     WHERE id = :verification
""")


class VerificationRepository(DrivenRepository[Verification]):
    """The ``verifications`` table."""

    model = Verification

    async def add_all(self, verifications: Sequence[Verification]) -> dict[UUID, Verification]:
        """Insert them in one statement. Returns those inserted, by id: no open one and no claimed instant."""
        return {each.id: each for each in await self._insert_free(Verification, verifications)}

    async def get(
        self, tenant_id: UUID, verification_id: UUID, owner_id: UUID | None = None
    ) -> Verification | None:
        """The verification in the tenant. With ``owner_id``, only if that user owns it."""
        statement = select(Verification).where(
            Verification.tenant_id == tenant_id, Verification.id == verification_id
        )
        if owner_id is not None:
            statement = statement.where(Verification.owner_id == owner_id)
        return await self._one(statement)

    async def get_unscoped(self, verification_id: UUID, *, lock: bool = False) -> Verification | None:
        """The verification by id alone, for its workflow."""
        statement = select(Verification).where(Verification.id == verification_id)
        if lock:
            statement = statement.with_for_update()
        return await self._one(statement.execution_options(populate_existing=True))

    async def open_like(self, verifications: Sequence[Verification]) -> list[Verification]:
        """The queued and running ones of the configurations of these."""
        columns = tuple_(Verification.owner_id, Verification.configuration_id)
        wanted = [(each.owner_id, each.configuration_id) for each in verifications]
        return await self._all(select(Verification).where(columns.in_(wanted), Verification.state.in_(_OPEN)))

    async def of_configuration(
        self, tenant_id: UUID, configuration_id: UUID, after: Keyset | None, limit: int
    ) -> list[Verification]:
        """Verifications of a configuration, newest first."""
        statement = select(Verification).where(
            Verification.tenant_id == tenant_id, Verification.configuration_id == configuration_id
        )
        key = (Verification.created_at, Verification.id)
        return await self._all(page(statement, key, after, limit, newest_first=True))

    async def begin(self, verification_id: UUID, now: datetime) -> datetime | None:
        """Mark it as running. Returns since when, None if it is over."""
        result = await self._session.execute(_BEGIN, {"verification": verification_id, "now": now})
        return result.scalar_one_or_none()

    async def begin_attempt(self, verification_id: UUID) -> int | None:
        """The number of a new attempt, which supersedes all earlier ones. None if it is over."""
        result = await self._session.execute(_BEGIN_ATTEMPT, {"verification": verification_id})
        return result.scalar_one_or_none()

    async def hold(self, verification_id: UUID, attempt: int) -> bool:
        """Lock it until the transaction ends. False if it is over or the attempt was superseded."""
        result = await self._session.execute(_HOLD, {"verification": verification_id, "attempt": attempt})
        return result.one_or_none() is not None

    async def advance(
        self,
        verification_id: UUID,
        attempt: int,
        until: datetime,
        percent: int,
        *,
        sources: int,
        records: int,
        copies: int,
        explained: Explained,
    ) -> None:
        """Record a compared range, up to ``until``. ``explained`` covers all ranges so far."""
        await self._session.execute(
            _ADVANCE,
            {
                "verification": verification_id,
                "attempt": attempt,
                "until": until,
                "percent": percent,
                "sources": sources,
                "records": records,
                "copies": copies,
                "explained": orjson.dumps(explained).decode(),
            },
        )

    async def explained(self, verification_id: UUID) -> Explained | None:
        """Why the totals so far differ."""
        statement = select(Verification.explained).where(Verification.id == verification_id)
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def finish(
        self,
        verification_id: UUID,
        state: VerificationState,
        counts: Mapping[str, int],
        reason: str | None,
        now: datetime,
    ) -> None:
        """End an open one."""
        await self._session.execute(
            update(Verification)
            .where(Verification.id == verification_id, Verification.state.in_(_OPEN))
            .values(state=state, counts=dict(counts), reason=reason, finished_at=now, progress=100)
        )

    async def to_drive_unscoped(self, before: datetime, limit: int) -> list[UUID]:
        """Open ones that were last checked before ``before``. Each needs a living orchestration."""
        return await self._to_drive(Verification.state.in_(_OPEN), before, limit)

    async def add_usage(self, verification_id: UUID, requests: int, round_trips: int) -> None:
        """Add Graph requests to its counters."""
        if requests or round_trips:
            await self._session.execute(
                _ADD_USAGE, {"verification": verification_id, "requests": requests, "trips": round_trips}
            )

"""The audit's chain (domain.md 7.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import func, insert, select, text

from shared.database.models.audit import AuditEntry, AuditSeal
from shared.database.repositories.base import Keyset, Repository
from shared.domain.audit.chain import SEALED_FIELDS, AuditRow, Link

_ROW = tuple(getattr(AuditEntry, name) for name in SEALED_FIELDS)
_UNSEALED = ~select(AuditSeal.audit_id).where(AuditSeal.audit_id == AuditEntry.id).exists()
_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended('audit_seals:' || :tenant, 0))")
# Finds each tenant through the index. DISTINCT would read every row.
_TENANTS = text("""
    WITH RECURSIVE tenants(id) AS (
        (SELECT tenant_id FROM audit_entries ORDER BY tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT tenant_id FROM audit_entries WHERE tenant_id > tenants.id ORDER BY tenant_id LIMIT 1)
          FROM tenants WHERE tenants.id IS NOT NULL
    )
    SELECT id FROM tenants WHERE id IS NOT NULL
""")


@dataclass(frozen=True, slots=True)
class Tail:
    """The unsealed rows: how many, and the oldest instant."""

    rows: int
    oldest: datetime | None


class AuditSealRepository(Repository):
    """The ``audit_seals`` table beside ``audit_entries``. Positions are added and read, never changed."""

    async def tenants_unscoped(self) -> list[UUID]:
        """Every tenant with an audit."""
        return list((await self._session.execute(_TENANTS)).scalars())

    async def try_lock(self, tenant_id: UUID) -> bool:
        """True if nobody else seals this tenant. Holds until the transaction ends."""
        return bool(await self._session.scalar(_LOCK, {"tenant": str(tenant_id)}))

    async def last(self, tenant_id: UUID) -> Link | None:
        """The end of the tenant's chain."""
        newest = select(AuditSeal).where(AuditSeal.tenant_id == tenant_id)
        seal = await self._one(newest.order_by(AuditSeal.position.desc()).limit(1))
        return None if seal is None else Link(seal.position, seal.audit_id, seal.previous_hash, seal.hash)

    async def unsealed(
        self, tenant_id: UUID, since: datetime | None, after: Keyset | None, limit: int
    ) -> list[AuditRow]:
        """Committed rows without a seal, oldest first, by column name. Optionally only since an instant."""
        statement = select(*_ROW).where(AuditEntry.tenant_id == tenant_id, _UNSEALED)
        if since is not None:
            statement = statement.where(AuditEntry.occurred_at >= since)
        if after is not None:
            statement = statement.where(func.row(AuditEntry.occurred_at, AuditEntry.id) > func.row(*after))
        rows = await self._session.execute(
            statement.order_by(AuditEntry.occurred_at, AuditEntry.id).limit(limit)
        )
        return cast("list[AuditRow]", [dict(row) for row in rows.mappings()])

    async def add(self, tenant_id: UUID, links: Sequence[Link]) -> None:
        """Add positions, in one statement."""
        rows = [
            {
                "tenant_id": tenant_id,
                "position": link.position,
                "audit_id": link.audit_id,
                "previous_hash": link.previous_hash,
                "hash": link.hash,
            }
            for link in links
        ]
        await self._session.execute(insert(AuditSeal), rows)

    async def chain(
        self, tenant_id: UUID, after_position: int, limit: int
    ) -> list[tuple[Link, AuditRow | None]]:
        """Positions after one, in order, each with its row. None if the row is gone."""
        statement = (
            select(AuditSeal.position, AuditSeal.audit_id, AuditSeal.previous_hash, AuditSeal.hash, *_ROW)
            .outerjoin(AuditEntry, AuditEntry.id == AuditSeal.audit_id)
            .where(AuditSeal.tenant_id == tenant_id, AuditSeal.position > after_position)
            .order_by(AuditSeal.position)
            .limit(limit)
        )
        return [_linked(tuple(row)) for row in await self._session.execute(statement)]

    async def hash_at(self, tenant_id: UUID, position: int) -> str | None:
        """The hash at a position. None if the position does not exist."""
        return await self._session.scalar(
            select(AuditSeal.hash).where(AuditSeal.tenant_id == tenant_id, AuditSeal.position == position)
        )

    async def tail(self, tenant_id: UUID) -> Tail:
        """The unsealed rows."""
        found = await self._session.execute(
            select(func.count(), func.min(AuditEntry.occurred_at)).where(
                AuditEntry.tenant_id == tenant_id, _UNSEALED
            )
        )
        rows, oldest = found.one()
        return Tail(rows, oldest)


def _linked(row: Sequence[Any]) -> tuple[Link, AuditRow | None]:
    position, audit_id, previous_hash, own_hash, *columns = row
    link = Link(position, audit_id, previous_hash, own_hash)
    if columns[0] is None:
        return link, None
    return link, cast("AuditRow", dict(zip(SEALED_FIELDS, columns, strict=True)))

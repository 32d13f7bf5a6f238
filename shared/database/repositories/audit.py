"""The audit: append-only (domain.md 7.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, insert, select

from shared.database.models import AuditEntry, Base
from shared.database.repositories.base import Keyset, Repository, page

_INSERT = insert(Base.metadata.tables[AuditEntry.__tablename__])


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """What a search is narrowed to (domain.md 7.4); ``[start, end)`` are UTC instants, None is no limit."""

    start: datetime | None = None
    end: datetime | None = None
    actor: str | None = None
    on_behalf_of: UUID | None = None
    action: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    correlation_id: str | None = None
    outcome: str | None = None


class AuditRepository(Repository):
    """The ``audit_entries`` table: rows are added and read, never changed."""

    async def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows that name the same columns: without the cost of objects that nobody will read."""
        await self._session.execute(_INSERT, rows)

    async def search(
        self, tenant_id: UUID, filters: AuditFilter, after: Keyset | None, limit: int
    ) -> list[AuditEntry]:
        """Rows of the tenant that meet every filter, newest first."""
        statement = select(AuditEntry).where(AuditEntry.tenant_id == tenant_id, *_conditions(filters))
        key = (AuditEntry.occurred_at, AuditEntry.id)
        return await self._all(page(statement, key, after, limit, newest_first=True))


def _conditions(filters: AuditFilter) -> list[ColumnElement[bool]]:
    equal = {
        AuditEntry.actor: filters.actor,
        AuditEntry.on_behalf_of: filters.on_behalf_of,
        AuditEntry.action: filters.action,
        AuditEntry.resource_type: filters.resource_type,
        AuditEntry.resource_id: filters.resource_id,
        AuditEntry.correlation_id: filters.correlation_id,
        AuditEntry.outcome: filters.outcome,
    }
    conditions: list[ColumnElement[bool]] = [
        column == value for column, value in equal.items() if value is not None
    ]
    if filters.start is not None:
        conditions.append(AuditEntry.occurred_at >= filters.start)
    if filters.end is not None:
        conditions.append(AuditEntry.occurred_at < filters.end)
    return conditions

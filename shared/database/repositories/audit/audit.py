"""The audit. Append-only (domain.md 7.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Text, cast, or_, select

from shared.database.models.audit import AuditEntry
from shared.database.prepared import PreparedWrite
from shared.database.repositories.audit.audit_subjects import AppointmentTrace
from shared.database.repositories.base import Keyset, Repository, page
from shared.domain.audit.chain import AuditRow

#: The action of a row that lists the writes of a batch by id.
_BATCH = "archive_run.batch"
_COLUMNS = {
    "id": "uuid",
    "tenant_id": "uuid",
    "occurred_at": "timestamptz",
    "actor": "text",
    "on_behalf_of": "uuid",
    "action": "text",
    "resource_type": "text",
    "resource_id": "text",
    "outcome": "text",
    "correlation_id": "text",
    "parent_correlation_id": "text",
    "source_ip": "text",
    "changes": "jsonb",
}
_INSERT = PreparedWrite(f"""
    INSERT INTO audit_entries ({", ".join(_COLUMNS)})
    SELECT {", ".join(f"v.{column}" for column in _COLUMNS)}
      FROM json_to_recordset(CAST(:rows AS json))
           AS v({", ".join(f"{column} {kind}" for column, kind in _COLUMNS.items())})
""")  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Selects audit rows (domain.md 7.4). ``[start, end)`` are UTC instants. None means no limit."""

    start: datetime | None = None
    end: datetime | None = None
    actor: str | None = None
    on_behalf_of: UUID | None = None
    action: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    correlation_id: str | None = None
    outcome: str | None = None
    trace: AppointmentTrace | None = None


class AuditRepository(Repository):
    """The ``audit_entries`` table: rows are added and read, never changed."""

    async def add(self, rows: Sequence[AuditRow]) -> None:
        """Add rows, by column, without ORM objects, because nobody reads them."""
        await _INSERT.rows(self._session, {"rows": orjson.dumps(rows, default=str).decode()})

    async def search(
        self, tenant_id: UUID, filters: AuditFilter, after: Keyset | None, limit: int
    ) -> list[AuditEntry]:
        """Rows of the tenant that match every filter, newest first."""
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
    if filters.trace is not None:
        conditions.append(_about(filters.trace))
    return conditions


def _about(trace: AppointmentTrace) -> ColumnElement[bool]:
    """Rows that name the appointment, its archived event or a write of it, and batches with such a write."""
    named = AuditEntry.resource_id.in_(trace.resource_ids)
    if not trace.operations:
        return named
    batches = (
        (AuditEntry.action == _BATCH)
        & AuditEntry.resource_id.in_(trace.runs)
        & or_(*(cast(AuditEntry.changes, Text).contains(each) for each in sorted(trace.operations)))
    )
    return named | batches

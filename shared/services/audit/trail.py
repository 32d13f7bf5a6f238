"""Reads the audit: search and export, decrypted for authorised readers (domain.md 6.3, 7.4)."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.database.models.audit import AuditEntry
from shared.database.repositories.audit.audit import AuditFilter, AuditRepository
from shared.database.repositories.audit.audit_subjects import AuditSubjectRepository
from shared.domain.audit.difference import difference
from shared.domain.audit.values import (
    ERASED,
    UNREADABLE,
    WITHHELD,
    concerns_private_event,
    has_encrypted,
    masked,
    restore,
)
from shared.domain.identity.caller import Caller
from shared.errors import NotFound
from shared.schemas.audit import (
    AuditEntryResource,
    AuditExportQuery,
    AuditFilters,
    AuditListQuery,
    FieldChange,
)
from shared.schemas.paging import Position, Slice
from shared.services.audit.export import AuditExportWriter, ExportFile
from shared.services.audit.recording import value_context
from shared.services.identity.access import Access
from shared.services.person_keys.keys import PersonKey, PersonKeys

#: Rows that are read in one transaction of an export, and formatted without a break.
EXPORT_PAGE_ROWS = 200
type Keys = Mapping[UUID, PersonKey | None]


class AuditTrail:
    """The audit for its readers: Admins and Auditors see the tenant's rows, a User those about themself.

    A row about another person's private event shows only its times and "Private".
    """

    def __init__(self, database: Database, keys: PersonKeys | None) -> None:
        self._database = database
        self._keys = keys

    async def search(self, caller: Caller, query: AuditListQuery) -> Slice[AuditEntryResource]:
        """A page of the rows that match every filter, newest first.

        Raises NotFound for a person that is not visible to the caller, and ValidationFailed naming
        ``cursor``. Raises Unavailable if values need decryption and the key store is away.
        """
        after = query.after
        own, filters = await self._scope(caller, query)
        return await self._page(caller, own, filters, after, query.limit)

    async def export(self, caller: Caller, query: AuditExportQuery) -> tuple[ExportFile, Position | None]:
        """The matching rows, newest first, as a file, and the cursor of its continuation.

        Reads page by page and keeps only the file in memory. Ends after ``rows`` rows or 32 MB. Raises as
        ``search``.
        """
        after, left = query.after, query.rows
        own, filters = await self._scope(caller, query)
        writer = AuditExportWriter(query.format)
        while True:
            page = await self._page(caller, own, filters, after, min(left, EXPORT_PAGE_ROWS))
            writer.write(page.rows)
            after, left = page.next, left - len(page.rows)
            if after is None or left == 0 or writer.full:
                return writer.file(), after

    async def _scope(self, caller: Caller, query: AuditFilters) -> tuple[UUID | None, AuditFilter]:
        """The caller's own user id, and the search limited to what the caller may see."""
        async with self._database.session() as session:
            access = await Access.of(session, caller)
        owner = access.readable_owner
        if owner is not None and query.user_id not in (None, owner):
            raise NotFound("there is no such user")
        trace = None
        if query.appointment_id is not None:
            async with self._database.session() as session:
                subjects = AuditSubjectRepository(session)
                trace = await subjects.trace_of(caller.tenant_id, query.appointment_id, owner)
            if trace is None:
                raise NotFound("there is no such appointment")
        filters = AuditFilter(
            trace=trace,
            start=query.window_start,
            end=query.window_end,
            actor=query.actor,
            on_behalf_of=owner or query.user_id,
            action=query.action,
            resource_type=query.resource_type,
            resource_id=query.resource_id,
            correlation_id=query.correlation_id,
            outcome=query.outcome,
        )
        return access.own.id if access.own is not None else None, filters

    async def _page(
        self, caller: Caller, own: UUID | None, filters: AuditFilter, after: Position | None, limit: int
    ) -> Slice[AuditEntryResource]:
        async with self._database.session() as session:
            rows = await AuditRepository(session).search(caller.tenant_id, filters, after, limit + 1)
            appointments = await _appointments(session, caller.tenant_id, rows)
        if filters.trace is not None:
            appointments |= dict.fromkeys(filters.trace.runs, filters.trace.appointment_id)
        found = Slice.cut(rows, limit, lambda row: Position(row.occurred_at, row.id))
        shown = [(row, _shown(row, own)) for row in found.rows]
        keys = await self._keys_of(shown)
        return Slice(
            [_resource(row, changes, keys, caller, appointments) for row, changes in shown], found.next
        )

    async def _keys_of(self, rows: Sequence[tuple[AuditEntry, dict[str, Any]]]) -> Keys:
        persons = {
            row.on_behalf_of
            for row, changes in rows
            if row.on_behalf_of is not None and has_encrypted(changes)
        }
        # The transaction is over, so a slow key store holds no connection.
        return await self._keys.for_reading(persons) if persons and self._keys is not None else {}


def _shown(row: AuditEntry, own: UUID | None) -> dict[str, Any]:
    """The stored changes. If the event is another person's private one, they are masked before decryption."""
    theirs = row.on_behalf_of is None or row.on_behalf_of != own
    shown: dict[str, Any] = (
        masked(row.changes) if theirs and concerns_private_event(row.changes) else row.changes
    )
    return shown


async def _appointments(
    session: AsyncSession, tenant_id: UUID, rows: Sequence[AuditEntry]
) -> dict[str, UUID]:
    """The appointment of each row, by the id that it names."""
    named: dict[str, list[UUID]] = {
        kind: [] for kind in ("appointment", "archived_event", "archive_operation")
    }
    for row in rows:
        if row.resource_type in named:
            with suppress(ValueError):
                named[row.resource_type].append(UUID(row.resource_id))
    own = {str(each): each for each in named["appointment"]}
    return own | await AuditSubjectRepository(session).appointments_of(
        tenant_id, named["archived_event"], named["archive_operation"]
    )


def _resource(
    row: AuditEntry,
    changes: dict[str, Any],
    keys: Keys,
    caller: Caller,
    appointments: Mapping[str, UUID],
) -> AuditEntryResource:
    def opened(path: str, ciphertext: str | None) -> Any:
        if ciphertext is None:
            return WITHHELD
        if row.on_behalf_of is None or row.on_behalf_of not in keys:
            return UNREADABLE
        key = keys[row.on_behalf_of]
        if key is None:
            return ERASED
        try:
            return key.decrypt(ciphertext, value_context(row.id, path))
        except ValueError:
            return UNREADABLE

    changed, details = difference(restore(changes, opened))
    return AuditEntryResource(
        id=row.id,
        occurred_at=row.occurred_at,
        actor=row.actor,
        user_id=row.on_behalf_of,
        action=row.action,
        resource_type=row.resource_type,
        resource_id=row.resource_id,
        outcome="success" if row.outcome == "success" else "failure",
        correlation_id=row.correlation_id,
        parent_correlation_id=row.parent_correlation_id,
        # The network address of an Admin is not shown to the people for whom they acted.
        source_ip=row.source_ip if caller.reads_tenant or row.actor == caller.actor else None,
        appointment_id=appointments.get(row.resource_id),
        changes=[FieldChange(**each._asdict()) for each in changed],
        details=dict(details),
    )

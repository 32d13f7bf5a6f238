"""Maps audit rows to appointments. Rows name archived events and writes too (domain.md 7.4)."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from shared.database.models.appointments import Appointment
from shared.database.models.runs import ArchiveOperation
from shared.database.models.users import User
from shared.database.repositories.base import Repository


@dataclass(frozen=True, slots=True)
class AppointmentTrace:
    """The ids that rows about one appointment name. ``runs`` wrote it by one of ``operations``."""

    appointment_id: UUID
    resource_ids: frozenset[str]
    runs: frozenset[str]
    operations: frozenset[str]


class AuditSubjectRepository(Repository):
    """The appointments behind resources that audit rows name."""

    async def trace_of(
        self, tenant_id: UUID, appointment_id: UUID, owner_id: UUID | None = None
    ) -> AppointmentTrace | None:
        """What to search for. None if the tenant, or that owner, has no such appointment."""
        statement = (
            select(Appointment.archived_event_id)
            .join(User, User.id == Appointment.owner_id)
            .where(Appointment.id == appointment_id, User.tenant_id == tenant_id)
        )
        if owner_id is not None:
            statement = statement.where(Appointment.owner_id == owner_id)
        event_id = (await self._session.execute(statement)).scalar_one_or_none()
        if event_id is None:
            return None
        written = await self._session.execute(
            select(ArchiveOperation.id, ArchiveOperation.run_id).where(
                ArchiveOperation.archived_event_id == event_id
            )
        )
        rows = written.all()
        operations = frozenset(str(row.id) for row in rows)
        named = frozenset({str(appointment_id), str(event_id)}) | operations
        return AppointmentTrace(appointment_id, named, frozenset(str(row.run_id) for row in rows), operations)

    async def appointments_of(
        self, tenant_id: UUID, events: Collection[UUID], operations: Collection[UUID]
    ) -> dict[str, UUID]:
        """The appointment of each archived event and each write, by the id that a row names."""
        found: dict[str, UUID] = {}
        if events:
            statement = (
                select(Appointment.archived_event_id, Appointment.id)
                .join(User, User.id == Appointment.owner_id)
                .where(User.tenant_id == tenant_id, Appointment.archived_event_id.in_(events))
            )
            found |= {str(event): own for event, own in (await self._session.execute(statement)).all()}
        if operations:
            written = (
                select(ArchiveOperation.id, Appointment.id)
                .join(Appointment, Appointment.archived_event_id == ArchiveOperation.archived_event_id)
                .join(User, User.id == Appointment.owner_id)
                .where(User.tenant_id == tenant_id, ArchiveOperation.id.in_(operations))
            )
            found |= {str(operation): own for operation, own in (await self._session.execute(written)).all()}
        return found

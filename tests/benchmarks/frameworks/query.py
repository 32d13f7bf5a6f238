"""The statements of our own list and get, so that every server measured asks the database the same."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Select, select

from infra.local import identities
from shared.database.models.appointments import Appointment
from shared.database.models.users import User
from shared.schemas.appointments import AppointmentResource, AppointmentSummary

START, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
PAGE = 25
#: What ours is asked.
MONTH = f"window_start={START:%Y-%m-%dT00:00:00Z}&window_end={END:%Y-%m-%dT00:00:00Z}&limit={PAGE}"
#: Who calls: these servers believe it, ours has it from a token it validates.
CALLER = "x-caller"


def caller(object_id: str) -> Select[User]:
    """Who calls."""
    return select(User).where(User.tenant_id == UUID(identities.TENANT_ID), User.object_id == UUID(object_id))


def page(owner_id: UUID) -> Select[Appointment]:
    """The first page of the month."""
    return (
        select(Appointment)
        .where(Appointment.owner_id == owner_id, Appointment.start_at < END, Appointment.end_at > START)
        .order_by(Appointment.start_at, Appointment.id)
        .limit(PAGE + 1)
    )


def one(owner_id: UUID, appointment_id: UUID) -> Select[Appointment]:
    """One appointment of the caller."""
    return select(Appointment).where(Appointment.owner_id == owner_id, Appointment.id == appointment_id)


def summary(row: Appointment) -> AppointmentSummary:
    """As in a list."""
    return AppointmentSummary.model_validate(_renamed(row, AppointmentSummary))


def resource(row: Appointment) -> AppointmentResource:
    """With its body and people."""
    return AppointmentResource.model_validate(_renamed(row, AppointmentResource))


def _renamed(row: Appointment, model: type[AppointmentSummary]) -> dict[str, object]:
    names = {"user_id": "owner_id", "start": "start_at", "end": "end_at"}
    # The bare apps decide nothing about what counts.
    decided = {"source_deleted": row.source_deleted_at is not None, "counts": None, "reason_code": None}
    columns = {name: names.get(name, name) for name in model.model_fields if name not in decided}
    return decided | {name: getattr(row, column) for name, column in columns.items()}

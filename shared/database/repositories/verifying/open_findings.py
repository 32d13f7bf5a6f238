"""Open findings of verifications (domain.md 2.15)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, not_, select
from sqlalchemy.orm import aliased

from shared.database.models.appointments import Appointment
from shared.database.models.verifications import Verification, VerificationFinding
from shared.database.repositories.base import Repository
from shared.database.repositories.verifying.listed_findings import finding_shown_to
from shared.domain.verifying.verification import FindingState, VerificationState


@dataclass(frozen=True, slots=True)
class OpenFinding:
    """An open difference, with its appointment. None if it has none."""

    id: UUID
    verification_id: UUID
    reason: str
    starts_at: datetime
    appointment_id: UUID | None
    subject: str | None
    start_at: datetime | None
    end_at: datetime | None
    is_all_day: bool | None


class OpenFindingRepository(Repository):
    """Reads the findings of one owner."""

    async def open_of(
        self,
        owner_id: UUID,
        configuration_ids: Sequence[UUID],
        span: tuple[datetime, datetime] | None,
        *,
        viewer: UUID | None,
        limit: int,
    ) -> list[OpenFinding]:
        """Open findings of the owner's archives that ``viewer`` (object id) may see, by start.

        Without those that a later verification of that time did not find again. ``span``: only those that
        start in it.
        """
        earlier, later = aliased(Verification), aliased(Verification)
        appointment = aliased(Appointment)
        checked_again = (
            select(later.id)
            .join(earlier, earlier.id == VerificationFinding.verification_id)
            .where(
                later.configuration_id == VerificationFinding.configuration_id,
                later.state == VerificationState.COMPLETED,
                later.created_at > earlier.created_at,
                later.window_start <= VerificationFinding.starts_at,
                later.window_end > VerificationFinding.starts_at,
            )
            .exists()
        )
        statement = (
            select(
                VerificationFinding.id,
                VerificationFinding.verification_id,
                VerificationFinding.reason,
                VerificationFinding.starts_at,
                appointment.id.label("appointment_id"),
                appointment.subject,
                appointment.start_at,
                appointment.end_at,
                appointment.is_all_day,
            )
            .outerjoin(
                appointment,
                and_(
                    appointment.archived_event_id == VerificationFinding.archived_event_id,
                    appointment.owner_id == owner_id,
                ),
            )
            .where(
                VerificationFinding.owner_id == owner_id,
                VerificationFinding.configuration_id.in_(configuration_ids),
                VerificationFinding.state == FindingState.OPEN,
                finding_shown_to(viewer),
                not_(checked_again),
            )
        )
        if span is not None:
            start, end = span
            statement = statement.where(
                VerificationFinding.starts_at >= start, VerificationFinding.starts_at < end
            )
        ordered = statement.order_by(VerificationFinding.starts_at, VerificationFinding.id).limit(limit)
        return [OpenFinding(**row) for row in (await self._session.execute(ordered)).mappings()]

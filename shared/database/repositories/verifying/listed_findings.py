"""Findings of verifications as people read them (domain.md 2.15, 6.3)."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ColumnElement, and_, not_, or_, select

from shared.database.models.appointments import Appointment
from shared.database.models.verifications import VerificationFinding
from shared.database.repositories.base import Keyset, Repository, page
from shared.database.repositories.identity.disclosure import disclosed
from shared.domain.verifying.verification import FindingReason


def finding_shown_to(viewer: UUID | None) -> ColumnElement[bool]:
    """False for findings about another person's private event, or about an unknown one."""
    hidden = (
        select(Appointment.id)
        .where(
            Appointment.archived_event_id == VerificationFinding.archived_event_id,
            ~disclosed(Appointment, viewer),
        )
        .exists()
    )
    unknown = VerificationFinding.reason == FindingReason.NOT_ARCHIVED
    if viewer is not None:
        unknown = and_(unknown, VerificationFinding.origin_mailbox_id.is_distinct_from(viewer))
    return not_(or_(hidden, unknown))


class ListedFindingRepository(Repository):
    """Lists findings. The caller has checked who may see the verification."""

    async def of_verification(
        self,
        verification_id: UUID,
        kind: str | None,
        after: Keyset | None,
        limit: int,
        *,
        viewer: UUID | None = None,
    ) -> list[VerificationFinding]:
        """Findings in the order of the calendar.

        Findings about a private event of another person than ``viewer`` (object id) match no kind (domain.md
        6.3).
        """
        statement = select(VerificationFinding).where(VerificationFinding.verification_id == verification_id)
        if kind is not None:
            statement = statement.where(VerificationFinding.kind == kind, finding_shown_to(viewer))
        key = (VerificationFinding.starts_at, VerificationFinding.id)
        return await self._all(page(statement, key, after, limit))

    async def shown_to(self, viewer: UUID | None, finding_ids: Collection[UUID]) -> set[UUID]:
        """Of which findings the viewer (object id) may see more than the time."""
        statement = select(VerificationFinding.id).where(
            VerificationFinding.id.in_(finding_ids), finding_shown_to(viewer)
        )
        return set((await self._session.execute(statement)).scalars())

    async def subjects_of(self, finding_ids: Collection[UUID]) -> dict[UUID, tuple[UUID, str]]:
        """The appointment and subject of each finding, if one is recorded.

        The caller has checked with ``shown_to`` who may see them (domain.md 6.3).
        """
        statement = (
            select(VerificationFinding.id, Appointment.id, Appointment.subject)
            .join(Appointment, Appointment.archived_event_id == VerificationFinding.archived_event_id)
            .where(VerificationFinding.id.in_(finding_ids))
        )
        found = await self._session.execute(statement)
        return {finding: (appointment, subject) for finding, appointment, subject in found.all()}

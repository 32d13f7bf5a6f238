"""Groups of overlapping events, and their owners' decisions (domain.md 5.5 to 5.9)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, not_, or_, select, text, update
from sqlalchemy.orm import aliased

from shared.database.models.appointments import Appointment
from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.overlaps import OverlapGroup, OverlapMember
from shared.database.repositories.base import Keyset, page
from shared.database.repositories.decisions import DecisionRepository
from shared.database.repositories.identity.disclosure import open_to_readers
from shared.domain.appointments.appointment_record import AppointmentRecord
from shared.domain.identity.disclosure import NORMAL
from shared.domain.overlaps.status import OverlapStatus, StoredResolution
from shared.domain.planning.purpose import Purpose

_SPAN = text("""
    SELECT min(e.start_at) AS first, max(e.start_at) AS last
      FROM overlap_members m JOIN archived_events e
        ON e.configuration_id = m.configuration_id AND e.source_key = m.source_key
     WHERE m.group_id = :group AND e.owner_id = :owner
""")
_EXCLUDE = text("""
    UPDATE appointments a SET unresolved = :unresolved, updated_at = :now,
           excluded = CASE WHEN a.excluded = 'consumed' THEN a.excluded
                      WHEN m.kept THEN NULL ELSE 'resolution' END
      FROM overlap_members m JOIN archived_events e
        ON e.configuration_id = m.configuration_id AND e.source_key = m.source_key
     WHERE m.group_id = :group AND a.owner_id = :owner AND a.archived_event_id = e.id
""")
_CONTENTS = text("""
    SELECT m.source_key, m.start_at, m.end_at, m.verdict, m.kept, m.origin_mailbox_id,
           a.id AS appointment_id,
           COALESCE(to_jsonb(a), m.record) AS event
      FROM overlap_members m
      JOIN overlap_groups g ON g.id = m.group_id AND g.owner_id = :owner
      LEFT JOIN archived_events e
        ON e.configuration_id = m.configuration_id AND e.source_key = m.source_key
      LEFT JOIN appointments a ON a.archived_event_id = e.id AND a.owner_id = :owner
     WHERE m.group_id = :group AND NOT m.departed
     ORDER BY m.start_at, m.end_at, m.source_key
""")


@dataclass(frozen=True, slots=True)
class MemberContent:
    """A member with its present or future appointment. None if nothing is known about it."""

    source_key: str
    start_at: datetime
    end_at: datetime
    verdict: str
    kept: bool | None
    origin_mailbox_id: UUID | None
    appointment_id: UUID | None
    event: AppointmentRecord | None


@dataclass(frozen=True, slots=True)
class GroupDecision:
    """The result for a group. ``kept`` are the source keys that are archived and count as time."""

    status: OverlapStatus
    kept: Collection[str]
    by: str
    at: datetime
    resolution: StoredResolution


class OverlapGroupRepository(DecisionRepository[OverlapGroup]):
    """The ``overlap_groups`` table with its members."""

    model = OverlapGroup
    undecided = OverlapStatus.FLAGGED
    due_column = "archive_due_at"

    @staticmethod
    def known_to(viewer: UUID | None, opened: Collection[UUID] = ()) -> ColumnElement[bool]:
        event = aliased(ArchivedEvent)
        hidden = (
            select(OverlapMember.group_id)
            .outerjoin(
                event,
                and_(
                    event.configuration_id == OverlapMember.configuration_id,
                    event.source_key == OverlapMember.source_key,
                ),
            )
            .outerjoin(Appointment, Appointment.archived_event_id == event.id)
            .where(
                OverlapMember.group_id == OverlapGroup.id,
                OverlapMember.origin_mailbox_id.is_distinct_from(viewer),
                func.coalesce(OverlapMember.origin_mailbox_id.not_in(sorted(opened)), True),
                func.coalesce(Appointment.sensitivity, OverlapMember.record["sensitivity"].astext, "")
                != NORMAL,
            )
            .exists()
        )
        timesheets = select(ArchiveConfiguration.id).where(ArchiveConfiguration.purpose == Purpose.TIMESHEET)
        return and_(
            open_to_readers(OverlapGroup.configuration_id),
            or_(OverlapGroup.configuration_id.not_in(timesheets), not_(hidden)),
        )

    async def between(
        self,
        owner_id: UUID,
        start: datetime,
        end: datetime,
        configuration_id: UUID | None = None,
        *,
        viewer: UUID | None,
    ) -> Sequence[OverlapGroup]:
        """The owner's groups that begin in ``[start, end)`` and are not over, by start.

        ``viewer``: as in ``list``.
        """
        statement = select(OverlapGroup).where(
            OverlapGroup.owner_id == owner_id,
            OverlapGroup.start_at >= start,
            OverlapGroup.start_at < end,
            OverlapGroup.status.not_in([str(each) for each in OverlapStatus if each.over]),
            self.known_to(viewer),
        )
        if configuration_id is not None:
            statement = statement.where(OverlapGroup.configuration_id == configuration_id)
        return await self._all(statement.order_by(OverlapGroup.start_at, OverlapGroup.id))

    async def list(
        self,
        owner_id: UUID,
        after: Keyset | None,
        limit: int,
        statuses: Collection[OverlapStatus] = (),
        configuration_id: UUID | None = None,
        *,
        viewer: UUID | None,
        opened: Collection[UUID] = (),
        begins_in: tuple[datetime, datetime] | None = None,
    ) -> list[OverlapGroup]:
        """The owner's groups in the order of opening, of some statuses or of all.

        A timesheet group with a private event of another person than ``viewer`` (object id) is left out. That
        the event takes part in it reveals its words (domain.md 6.3).
        """
        statement = select(OverlapGroup).where(
            OverlapGroup.owner_id == owner_id, self.known_to(viewer, opened)
        )
        if configuration_id is not None:
            statement = statement.where(OverlapGroup.configuration_id == configuration_id)
        if statuses:
            statement = statement.where(OverlapGroup.status.in_([str(status) for status in statuses]))
        if begins_in is not None:
            start, end = begins_in
            statement = statement.where(OverlapGroup.start_at >= start, OverlapGroup.start_at < end)
        return await self._all(page(statement, (OverlapGroup.opened_at, OverlapGroup.id), after, limit))

    async def members(self, owner_id: UUID, group_id: UUID) -> Sequence[OverlapMember]:
        """The members of the owner's group, by start."""
        return await self._all(
            select(OverlapMember)
            .join(OverlapGroup, OverlapGroup.id == OverlapMember.group_id)
            .where(OverlapGroup.owner_id == owner_id, OverlapMember.group_id == group_id)
            .order_by(OverlapMember.start_at, OverlapMember.end_at, OverlapMember.source_key)
        )

    async def contents(self, owner_id: UUID, group_id: UUID) -> Sequence[MemberContent]:
        """The members of the owner's group with what is known about them, by start."""
        result = await self._session.execute(_CONTENTS, {"group": group_id, "owner": owner_id})
        return [
            MemberContent(**row | {"event": row["event"] and AppointmentRecord.from_json(row["event"])})
            for row in map(dict, result.mappings())
        ]

    async def span(self, owner_id: UUID, row_id: UUID) -> tuple[datetime, datetime] | None:
        """The first and last instant that decide the members' windows. None if no run owned any."""
        row = (await self._session.execute(_SPAN, {"group": row_id, "owner": owner_id})).one()
        return None if row.first is None else (row.first, row.last)

    async def decide(self, group: OverlapGroup, decision: GroupDecision) -> None:
        """Store a decision for a run to carry out. The caller has locked the group.

        Existing appointments count, or do not count, from now on.
        """
        resolution = decision.resolution
        group.status, group.resolution = decision.status, dict(resolution)
        group.settled_at = group.archive_due_at = group.updated_at = decision.at
        group.settled_by, group.expires_at = decision.by, None
        group.log = [*group.log, {"at": decision.at.isoformat(), "by": decision.by, **resolution}]
        group.version += 1
        await self._session.execute(
            update(OverlapMember)
            .where(OverlapMember.group_id == group.id)
            .values(kept=OverlapMember.source_key.in_(list(decision.kept)))
            .execution_options(synchronize_session=False)
        )
        await self._session.flush()
        await self._session.execute(
            _EXCLUDE,
            {
                "group": group.id,
                "owner": group.owner_id,
                "unresolved": decision.status is OverlapStatus.EXPIRED,
                "now": decision.at,
            },
        )

"""A run's writes as people read them, each with its event."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.domain.identity.disclosure import NORMAL, PRIVATE

#: Whether it is another person's private event. The person read asks with ``:private`` NULL.
_HIDDEN = (
    "(CAST(:private AS boolean) IS NOT NULL"
    f" AND COALESCE(a.sensitivity, o.record->>'sensitivity') IS DISTINCT FROM '{NORMAL}')"
)
#: The name of a write's event. Its record is the present or future appointment. Others than the person read
#: get no word of a private event (domain.md 6.3).
_NAMED = f"""
           CASE WHEN {_HIDDEN} THEN '{PRIVATE}' ELSE COALESCE(a.subject, o.record->>'subject') END AS subject,
           CASE WHEN NOT {_HIDDEN} THEN a.id END AS appointment_id,
           COALESCE(a.start_at, e.start_at, CAST(o.record->>'start_at' AS timestamptz)) AS start
      FROM archive_operations o
      JOIN archived_events e ON e.id = o.archived_event_id
      LEFT JOIN appointments a ON a.archived_event_id = o.archived_event_id
     WHERE o.run_id = :run AND o.owner_id = :owner
       AND (CAST(:private AS boolean) IS NULL OR o.is_private = :private)"""
_OF_RUN = text(f"""
    SELECT o.id, o.position, o.source_key, o.action, o.state, o.error_code, o.error_detail, o.first_sent_at,
           o.last_sent_at, o.finished_at, {_NAMED}
       AND o.state <> 'draft'
       AND (CAST(:state AS text) IS NULL OR o.state = :state)
       AND (CAST(:position AS bigint) IS NULL OR (o.position, o.id) > (:position, CAST(:id AS uuid)))
     ORDER BY o.position, o.id LIMIT :limit
""")
_PROBLEMS = text(f"""
    SELECT o.id, o.source_key, o.action, o.state, o.error_code, o.error_detail, {_NAMED}
       AND (o.state IN ('failed', 'conflict', 'locked', 'sent') OR o.error_code IS NOT NULL)
     ORDER BY o.position, o.id LIMIT :limit
""")


class WriteProblem(NamedTuple):
    """A write that needs attention, with the name of its event."""

    id: UUID
    source_key: str
    action: str
    state: str
    error_code: str | None
    error_detail: str | None
    subject: str | None
    appointment_id: UUID | None
    start: datetime


class ListedOperationRepository:
    """Lists ``archive_operations`` of one configuration of one owner."""

    def __init__(self, session: AsyncSession, owner_id: UUID) -> None:
        self._session = session
        self._owner_id = owner_id

    async def of_run(
        self,
        run_id: UUID,
        state: str | None,
        after: tuple[int, UUID] | None,
        limit: int,
        *,
        private: bool | None = None,
    ) -> list[RowMapping]:
        """The run's operations without contents, in the order of the calendar, without drafts.

        ``private`` selects those of private events, or the others.
        """
        position, operation_id = after or (None, None)
        parameters = {
            "run": run_id,
            "state": state,
            "private": private,
            "position": position,
            "id": operation_id,
            "limit": limit,
        }
        result = await self._session.execute(_OF_RUN, {"owner": self._owner_id} | parameters)
        return list(result.mappings())

    async def problems(self, run_id: UUID, limit: int, *, private: bool | None = None) -> list[WriteProblem]:
        """Writes that need attention: failed and why, or doubled. In the order of the calendar (2.12)."""
        result = await self._session.execute(
            _PROBLEMS, {"owner": self._owner_id, "run": run_id, "limit": limit, "private": private}
        )
        return [WriteProblem._make(row) for row in result]

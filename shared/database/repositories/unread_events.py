"""What runs could not read, and what of it is still to be read (domain.md 2.2, 2.12)."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text

from shared.database.repositories.base import Repository

# A run's plan names what it could not read. That is open as long as no later plan was made of its time.
_NOTED = text("""
    SELECT r.configuration_id, r.window_start, r.window_end, r.planned_at, noted.value AS event,
           EXISTS (SELECT 1 FROM archive_runs later
                    WHERE later.configuration_id = r.configuration_id AND later.planned_at > r.planned_at
                      AND later.mode IN ('normal', 'replace') AND later.plan ->> 'refused' IS NULL
                      AND later.window_start <= COALESCE(
                              GREATEST(CAST(noted.value ->> 'start' AS timestamptz), r.window_start),
                              r.window_start)
                      AND later.window_end >= COALESCE(
                              LEAST(CAST(noted.value ->> 'end' AS timestamptz), r.window_end),
                              CAST(noted.value ->> 'start' AS timestamptz), r.window_end)) AS settled
      FROM archive_runs r CROSS JOIN jsonb_array_elements(r.plan -> 'unreadable_events') AS noted(value)
     WHERE r.configuration_id = ANY(CAST(:configurations AS uuid[])) AND r.planned_at > :since
       AND CAST(r.plan ->> 'unreadable' AS integer) > 0
     ORDER BY r.planned_at
""")


class NotedEvent(NamedTuple):
    """What one run could not read. ``settled``: a later plan was made of its time."""

    configuration_id: UUID
    window_start: datetime
    window_end: datetime
    planned_at: datetime
    event: dict[str, Any]
    settled: bool


class UnreadEventRepository(Repository):
    """Reads ``archive_runs.plan``."""

    async def noted_unscoped(
        self, configuration_ids: Collection[UUID] | Sequence[UUID], since: datetime
    ) -> list[NotedEvent]:
        """What plans made after ``since`` could not read, the oldest plan first."""
        rows = await self._session.execute(
            _NOTED, {"configurations": list(configuration_ids), "since": since}
        )
        return [NotedEvent(*row) for row in rows]

"""What runs could not read, and which of it is still open (domain.md 2.2, 2.12)."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from shared.database.repositories.base import Repository
from shared.domain.runs.unread import ListedUnread, Unread

# A run's plan lists what it could not read. It is open until a later plan covers its time.
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
                              CAST(noted.value ->> 'start' AS timestamptz), r.window_end)) AS read_again
      FROM archive_runs r CROSS JOIN jsonb_array_elements(r.plan -> 'unreadable_events') AS noted(value)
     WHERE r.configuration_id = ANY(CAST(:configurations AS uuid[])) AND r.planned_at > :since
       AND CAST(r.plan ->> 'unreadable' AS integer) > 0
     ORDER BY r.planned_at
""")


_PARTNERS = text("""
    SELECT m.source_key AS missing, g.id AS group_id, other.source_key AS partner
      FROM overlap_members m
      JOIN overlap_groups g ON g.id = m.group_id AND g.owner_id = :owner
                           AND g.configuration_id = :configuration AND g.status NOT IN ('closed', 'merged')
      JOIN overlap_members other ON other.group_id = g.id AND NOT other.departed
                                AND other.source_key <> m.source_key
      LEFT JOIN archived_events e ON e.configuration_id = m.configuration_id
                                 AND e.source_key = m.source_key
     WHERE m.configuration_id = :configuration AND NOT m.departed
       AND (e.source_id = ANY(CAST(:ids AS text[]))
            OR EXISTS (SELECT 1 FROM unnest(CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]))
                                     AS slot(begins, ends)
                        WHERE m.start_at >= slot.begins AND m.start_at < slot.ends))
""")


class Partner(NamedTuple):
    """An event that overlaps an unreadable one: ``missing``, in a stored group."""

    missing: str
    group_id: UUID
    partner: str


class NotedEvent(NamedTuple):
    """What one run could not read."""

    configuration_id: UUID
    window_start: datetime
    window_end: datetime
    planned_at: datetime
    event: Unread
    #: Since when it could not be read, if a plan knew it.
    since: datetime | None
    #: A later plan covered its time.
    read_again: bool


class UnreadEventRepository(Repository):
    """Reads ``archive_runs.plan``, and the events that overlap what could not be read."""

    async def partners(
        self,
        owner_id: UUID,
        configuration_id: UUID,
        ids: Collection[str],
        slots: Sequence[tuple[datetime, datetime]],
    ) -> list[Partner]:
        """Events that overlap those with these source ids, or those that start in these ranges."""
        rows = await self._session.execute(
            _PARTNERS,
            {
                "owner": owner_id,
                "configuration": configuration_id,
                "ids": list(ids),
                "starts": [start for start, _ in slots],
                "ends": [end for _, end in slots],
            },
        )
        return [Partner(*row) for row in rows]

    async def noted_unscoped(
        self, configuration_ids: Collection[UUID] | Sequence[UUID], since: datetime
    ) -> list[NotedEvent]:
        """What plans made after ``since`` could not read, the oldest plan first."""
        rows = await self._session.execute(
            _NOTED, {"configurations": list(configuration_ids), "since": since}
        )
        return [_noted(*row) for row in rows]


def _noted(
    configuration_id: UUID, start: datetime, end: datetime, at: datetime, event: ListedUnread, again: bool
) -> NotedEvent:
    stored = event.get("since")
    since = datetime.fromisoformat(stored) if stored else None
    return NotedEvent(configuration_id, start, end, at, Unread.from_json(event), since, again)

"""Rows of the map whose copies must be superseded (domain.md 2.16, 2.17)."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from shared.database.repositories.archiving.archived_events import (
    MAP_COLUMNS,
    MAP_SCOPE,
    ArchivedEventRepository,
    MapRow,
)
from shared.domain.events.revision import EDITED, superseded_revision

# The end of a superseded copy's revision.
_MARK = superseded_revision("")

# The owner's edit prevented it last time. A new request tries again.
_REQUEST = text(f"""
    UPDATE archived_events SET superseding_since = COALESCE(superseding_since, :now),
           conflict_revision = NULL, updated_at = :now
     WHERE {MAP_SCOPE} AND id = ANY(CAST(:ids AS uuid[]))
       AND state IN ('creating', 'present', 'source_deleted')
    RETURNING id
""")  # noqa: S608
_ATTACHED = text(f"""
    SELECT {MAP_COLUMNS} FROM archived_events
     WHERE {MAP_SCOPE} AND superseding_since IS NOT NULL AND position('@' IN source_key) = 0
     ORDER BY start_at, source_key
""")  # noqa: S608
_DUE = text(f"""
    SELECT {MAP_COLUMNS} FROM archived_events e
     WHERE {MAP_SCOPE} AND superseding_since IS NOT NULL AND copy_id IS NOT NULL
       AND state <> 'removed_by_owner' AND position('@' IN source_key) > 0
       AND (start_at >= :start AND start_at < :end OR superseding_since >= :since)
       AND conflict_revision IS DISTINCT FROM split_part(e.revision, '{EDITED}', 1) || '{_MARK}'
       AND NOT EXISTS (SELECT 1 FROM archive_operations o WHERE o.archived_event_id = e.id
                          AND o.state IN ('planned', 'sent'))
       AND EXISTS (SELECT 1 FROM appointments a WHERE a.archived_event_id = e.id)
     ORDER BY start_at, source_key LIMIT :limit
""")  # noqa: S608


class SupersedingRepository(ArchivedEventRepository):
    """The ``archived_events`` table of one configuration of one owner: which copies replace others."""

    async def request(self, ids: Collection[UUID], now: datetime) -> list[UUID]:
        """Record that other copies replace those of these rows. Returns the ids that this applies to.

        Rows that have and get no copy, and rows removed by their owner, stay unchanged.
        """
        if not ids:
            return []
        result = await self._session.execute(_REQUEST, self._scope | {"ids": list(ids), "now": now})
        return list(result.scalars())

    async def attached(self) -> list[MapRow]:
        """Rows to supersede that still have the keys of their sources."""
        return await self._map_rows(_ATTACHED)

    async def due(self, start: datetime, end: datetime, since: datetime, limit: int) -> list[MapRow]:
        """Rows of ``[start, end)`` whose copies are still to be changed, and those requested after ``since``.

        Each has an appointment. Rows with a write in flight, and rows that their owner edited (a conflict),
        are left out.
        """
        return await self._map_rows(_DUE, start=start, end=end, since=since, limit=limit)

"""Rows of one owner's configurations that write into the same archive calendar (domain.md 2.4, 2.19)."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from shared.database.repositories.archiving.archived_events import MAP_COLUMNS, MapRow
from shared.database.repositories.base import ConfigurationScopedRepository

_OPEN = """EXISTS (SELECT 1 FROM archive_operations o WHERE o.archived_event_id = e.id
                     AND o.state IN ('planned', 'sent'))"""
# The other configuration reads another calendar of the same mailbox (2.19).
_SIBLING = """c.owner_id = own.owner_id AND c.id <> own.id AND c.deleted_at IS NULL
       AND (c.archive_mailbox_id, c.archive_calendar_id) = (own.archive_mailbox_id, own.archive_calendar_id)
       AND c.source_mailbox_id = own.source_mailbox_id"""
_OF_SIBLINGS = f"""archive_configurations own JOIN archive_configurations c ON {_SIBLING}
      JOIN archived_events e ON e.configuration_id = c.id
     WHERE own.id = :configuration AND own.owner_id = :owner AND e.owner_id = :owner
       AND e.source_id = ANY(CAST(:ids AS text[])) AND e.copy_id IS NOT NULL
       AND e.state IN ('present', 'source_deleted')"""
_ELSEWHERE = text(f"""
    SELECT {", ".join(f"e.{column}" for column in MAP_COLUMNS.split(", "))}, {_OPEN} AS busy
      FROM {_OF_SIBLINGS}
     ORDER BY e.source_id, e.state = 'source_deleted', e.id
""")  # noqa: S608
_READERS = text(f"""
    SELECT c.id, c.source_calendar_id
      FROM archive_configurations own JOIN archive_configurations c ON {_SIBLING}
     WHERE own.id = :configuration AND own.owner_id = :owner AND c.active AND NOT c.archive_in_use
""")  # noqa: S608
_TAKE = text(f"""
    UPDATE archived_events e
       SET configuration_id = CAST(:into AS uuid), state = 'present', updated_at = :now,
           pending_since = COALESCE(e.pending_since, :now)
     WHERE e.owner_id = :owner AND e.id = ANY(CAST(:ids AS uuid[])) AND NOT {_OPEN}
       AND NOT EXISTS (SELECT 1 FROM archived_events o WHERE o.configuration_id = CAST(:into AS uuid)
                          AND o.source_key = e.source_key)
    RETURNING e.id
""")  # noqa: S608
# A decision about overlaps of the one configuration says nothing about those of the other (5.9).
_TAKE_RECORDS = text("""
    UPDATE appointments
       SET configuration_id = CAST(:into AS uuid), source_deleted_at = NULL, updated_at = :now,
           excluded = NULLIF(excluded, 'resolution')
     WHERE owner_id = :owner AND archived_event_id = ANY(CAST(:ids AS uuid[]))
""")


class ElsewhereRow(NamedTuple):
    """A row of another configuration. ``busy``: it has a write in flight."""

    row: MapRow
    busy: bool


class SharedArchiveRepository(ConfigurationScopedRepository):
    """The rows of an owner's configurations that share the archive calendar of one of them."""

    async def elsewhere(self, source_ids: Sequence[str]) -> dict[str, ElsewhereRow]:
        """Rows with a copy that the other configurations have for these sources, by source id."""
        if not source_ids:
            return {}
        result = await self._session.execute(_ELSEWHERE, self._scope | {"ids": list(source_ids)})
        found: dict[str, ElsewhereRow] = {}
        for *columns, busy in result:
            row = MapRow.of_columns(columns)
            found.setdefault(row.source_id, ElsewhereRow(row, busy))
        return found

    async def readers(self) -> dict[str, UUID]:
        """The other active configurations, by the calendar that each reads."""
        result = await self._session.execute(_READERS, self._scope)
        return {row.source_calendar_id: row.id for row in result}

    async def take_over(self, rows: Sequence[UUID], into: UUID, now: datetime) -> set[UUID]:
        """Move rows, with their copies and records, to the configuration ``into``.

        Their copies must then say so. A row with a write in flight, or whose key ``into`` has already, stays.
        """
        parameters = {"owner": self._scope["owner"], "into": into, "now": now}
        taken = set((await self._session.execute(_TAKE, parameters | {"ids": list(rows)})).scalars())
        await self._session.execute(_TAKE_RECORDS, parameters | {"ids": list(taken)})
        return taken

"""Copies that a decision about a closed overlap left out, and that count again (domain.md 5.9)."""

from datetime import datetime

from sqlalchemy import text

from shared.database.repositories.base import ConfigurationScopedRepository

# ``o`` is a place of the same event in any group. An open group decides about it alone. A closed one still
# does if it left the event out for an event that vanished, and whose copy counts and overlaps it.
_COUNT_AGAIN = text("""
    UPDATE appointments a SET excluded = NULL, updated_at = :now
      FROM overlap_groups g
      JOIN overlap_members m ON m.group_id = g.id AND NOT m.kept
      JOIN archived_events e ON e.configuration_id = m.configuration_id AND e.source_key = m.source_key
     WHERE g.configuration_id = :configuration AND g.owner_id = :owner AND g.status = 'closed'
       AND a.archived_event_id = e.id AND a.owner_id = :owner AND a.excluded = 'resolution'
       AND e.state <> 'source_deleted'
       AND NOT EXISTS (
           SELECT 1 FROM overlap_members o JOIN overlap_groups p ON p.id = o.group_id
            WHERE o.configuration_id = e.configuration_id AND o.source_key = e.source_key
              AND (p.status NOT IN ('closed', 'merged')
                   OR (NOT o.kept AND EXISTS (
                       SELECT 1 FROM overlap_members w
                         JOIN archived_events v
                           ON v.configuration_id = w.configuration_id AND v.source_key = w.source_key
                         JOIN appointments c ON c.archived_event_id = v.id AND c.owner_id = :owner
                        WHERE w.group_id = o.group_id AND v.state = 'source_deleted'
                          AND c.excluded IS NULL AND c.start_at < a.end_at AND a.start_at < c.end_at))))
""")


class LeftOutCopyRepository(ConfigurationScopedRepository):
    """``appointments`` of one configuration of one owner that overlaps left out."""

    async def count_again(self, now: datetime) -> None:
        """Let copies count again that closed groups left out.

        The decision stands while the copy of a vanished event counts and overlaps them. It ends with a
        supersession, for example, which comes long after the group was closed.
        """
        await self._session.execute(_COUNT_AGAIN, self._scope | {"now": now})

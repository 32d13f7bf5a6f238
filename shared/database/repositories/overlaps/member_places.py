"""The places of events in groups of overlapping events, as rows go to other events (domain.md 5.9)."""

from datetime import datetime

from sqlalchemy import text

from shared.database.repositories.base import ConfigurationScopedRepository
from shared.database.repositories.overlaps.overlap_members import OPEN_GROUP

_REPOINT = """
    UPDATE overlap_members m SET source_key = :new
     WHERE m.configuration_id = :configuration AND m.source_key = :old
       AND NOT EXISTS (SELECT 1 FROM overlap_members o
                        WHERE o.group_id = m.group_id AND o.source_key = :new)
"""
# An earlier reading of the plan may have stored the new key in a group of its own. That one is over when all
# its members left it.
_TAKE_PLACE = text(f"""
    WITH place AS (
        SELECT m.group_id FROM overlap_members m JOIN overlap_groups g ON g.id = m.group_id
         WHERE m.configuration_id = :configuration AND m.source_key = :old AND NOT m.departed
           AND {OPEN_GROUP} ORDER BY g.opened_at, g.id LIMIT 1),
    other AS (
        DELETE FROM overlap_members m USING overlap_groups g, place
         WHERE m.configuration_id = :configuration AND m.source_key = :new AND m.group_id <> place.group_id
           AND g.id = m.group_id AND {OPEN_GROUP}
        RETURNING m.group_id, place.group_id AS into_id),
    merged AS (
        UPDATE overlap_groups g SET status = 'merged', merged_into = other.into_id, expires_at = NULL,
               archive_due_at = NULL, version = g.version + 1, updated_at = :now
          FROM other
         WHERE g.id = other.group_id AND NOT EXISTS (SELECT 1 FROM overlap_members m
                                                      WHERE m.group_id = g.id AND m.source_key <> :new))
    {_REPOINT}
""")  # noqa: S608
# While one of its groups is undecided, an event counts.
_FOLLOW = text(f"""
    UPDATE appointments a SET excluded = CASE WHEN place.dropped THEN 'resolution' END, updated_at = :now
      FROM archived_events e CROSS JOIN LATERAL (
            SELECT bool_and(g.status IN ('settled', 'expired') AND NOT m.kept) AS dropped
              FROM overlap_members m JOIN overlap_groups g ON g.id = m.group_id
             WHERE m.configuration_id = e.configuration_id AND m.source_key = e.source_key
               AND NOT m.departed AND {OPEN_GROUP}) AS place
     WHERE e.configuration_id = :configuration AND e.source_key = :key AND place.dropped IS NOT NULL
       AND a.archived_event_id = e.id AND a.owner_id = :owner
       AND COALESCE(a.excluded, 'resolution') = 'resolution'
""")  # noqa: S608


class MemberPlaceRepository(ConfigurationScopedRepository):
    """``overlap_members`` of one configuration of one owner: who has which place."""

    async def repoint(self, old: str, new: str) -> None:
        """Give a member another source key (domain.md 2.3)."""
        await self._session.execute(text(_REPOINT), self._scope | {"old": old, "new": new})

    async def take_place(self, old: str, new: str, now: datetime) -> None:
        """Let a new event take the place of a gone one in its group. It leaves others (domain.md 5.9)."""
        await self._session.execute(_TAKE_PLACE, self._scope | {"old": old, "new": new, "now": now})

    async def follow(self, key: str, now: datetime) -> None:
        """Let a copy count as is decided of this event, which has it from now on (domain.md 5.9).

        A decision about an event that had the copy before no longer counts, if this one is a member itself.
        """
        await self._session.execute(_FOLLOW, self._scope | {"key": key, "now": now})

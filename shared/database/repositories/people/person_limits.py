"""How much one person has of what is limited (domain.md 6.6)."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Select, func, select, text

from shared.database.models.categories import CategoryRuleRow
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.local_calendars import LocalCalendar, LocalEvent
from shared.database.models.people import UserExport
from shared.database.repositories.base import Repository
from shared.domain.people.departure import ExportState

#: More than a PostgreSQL server's concurrent transactions. Each adds one event.
AT_ONCE: Final = 1_000
_TURN = text("SELECT pg_advisory_xact_lock(hashtextextended(CAST(:owner AS text), 5))")
# An index-only scan (ix_local_events_owner_id_entered). The shared lock is taken only far from the limit.
_FAR_FROM_LIMIT = text("""
    WITH entered AS MATERIALIZED (
        SELECT count(*) AS events
          FROM (SELECT 1 FROM local_events WHERE owner_id = :owner AND archive_key IS NULL LIMIT :most) AS e)
    SELECT events <= :far AS far,
           CASE WHEN events <= :far THEN
               CAST(pg_advisory_xact_lock_shared(hashtextextended(CAST(:owner AS text), 5)) AS text)
           END AS turn
      FROM entered
""")


class PersonLimitRepository(Repository):
    """Counts of one owner."""

    async def take_turn(self, owner_id: UUID) -> None:
        """Until the transaction ends, nobody else counts what the owner has in order to add to it."""
        await self._session.execute(_TURN, {"owner": str(owner_id)})

    async def archive_configurations(self, owner_id: UUID) -> int:
        """Archive configurations, without the deleted ones."""
        return await self._count(
            select(func.count()).where(
                ArchiveConfiguration.owner_id == owner_id, ArchiveConfiguration.deleted_at.is_(None)
            )
        )

    async def local_calendars(self, owner_id: UUID) -> int:
        """Local calendars."""
        return await self._count(select(func.count()).where(LocalCalendar.owner_id == owner_id))

    async def category_rules(self, owner_id: UUID) -> int:
        """Category rules."""
        return await self._count(select(func.count()).where(CategoryRuleRow.owner_id == owner_id))

    async def exports_since(self, owner_id: UUID, requested_by: str, since: datetime) -> int:
        """Exports of the owner's data that one caller requested since then. Failed ones do not count."""
        return await self._count(
            select(func.count()).where(
                UserExport.owner_id == owner_id,
                UserExport.requested_by == requested_by,
                UserExport.created_at > since,
                UserExport.state != ExportState.FAILED,
            )
        )

    async def has_room_for_events(self, owner_id: UUID, most: int) -> bool:
        """Whether the owner may enter one more local event. Archived copies do not count.

        Far from the limit, people enter events concurrently. Near it they take turns.
        """
        parameters = {"owner": owner_id, "most": most, "far": most - AT_ONCE}
        if (await self._session.execute(_FAR_FROM_LIMIT, parameters)).scalar_one():
            return True
        await self.take_turn(owner_id)
        entered = select(LocalEvent.id).where(
            LocalEvent.owner_id == owner_id, LocalEvent.archive_key.is_(None)
        )
        return await self._count(select(func.count()).select_from(entered.limit(most).subquery())) < most

    async def _count(self, statement: Select[int]) -> int:
        return (await self._session.execute(statement)).scalar_one()

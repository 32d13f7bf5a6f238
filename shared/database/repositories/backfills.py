"""What is archived month by month before the nightly runs' first day (domain.md 2.14)."""

from uuid import UUID

from sqlalchemy import select

from shared.database.models.verifications import Backfill
from shared.database.repositories.base import Repository


class BackfillRepository(Repository):
    """The ``backfills`` table: one for a configuration, of one owner."""

    async def add(self, backfill: Backfill) -> Backfill:
        """Insert it; raises AlreadyExists when its configuration has one."""
        await self._insert(backfill)
        return backfill

    async def get(self, owner_id: UUID, configuration_id: UUID, *, lock: bool = False) -> Backfill | None:
        """The backfill of a configuration; with ``lock`` nobody else changes it meanwhile."""
        statement = select(Backfill).where(
            Backfill.owner_id == owner_id, Backfill.configuration_id == configuration_id
        )
        if lock:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        return await self._one(statement)

"""The months before the nightly runs, archived one by one (domain.md 2.14)."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from shared.database.models.verifications import Backfill
from shared.database.repositories.base import Repository


class BackfillRepository(Repository):
    """The ``backfills`` table: one per configuration, of one owner."""

    async def add(self, backfill: Backfill) -> Backfill:
        """Insert it. Raises AlreadyExists if its configuration has one."""
        await self._insert(backfill)
        return backfill

    async def get(self, owner_id: UUID, configuration_id: UUID, *, lock: bool = False) -> Backfill | None:
        """The backfill of a configuration. ``lock`` holds it until the transaction ends."""
        statement = select(Backfill).where(
            Backfill.owner_id == owner_id, Backfill.configuration_id == configuration_id
        )
        return await self._one(statement, lock=lock)

    async def lock_all_unscoped(self, configuration_ids: Sequence[UUID]) -> dict[UUID, Backfill]:
        """The backfills of configurations of several owners, by configuration, all locked."""
        found = await self._all(
            select(Backfill)
            .where(Backfill.configuration_id.in_(configuration_ids))
            .order_by(Backfill.configuration_id),
            lock=True,
        )
        return {backfill.configuration_id: backfill for backfill in found}

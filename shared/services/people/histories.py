"""Purges the inputs, outputs and histories of orchestrations that ran for a person (15.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from shared.database.engine import Database
from shared.database.repositories.people.person_data import Person, PersonDataRepository, holdings

#: Tables whose rows have an orchestration, and the instance id of a row.
INSTANCES: Final = {
    "archive_runs": "archive-{id}",
    "user_exports": "user-export-{id}",
    "verifications": "verification-{id}",
}
_AT_ONCE: Final = 100


class InstanceHistory(Protocol):
    """The histories of orchestrations."""

    async def forget(self, instance_id: str) -> bool:
        """Purge an instance. False while it is not over. A missing one counts as purged."""
        ...


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many instances were checked, where to continue, and whether one of them is not over yet."""

    count: int
    place: Sequence[str]
    living: bool


class Histories:
    """Purges instances by the rows they ran for, so it must run before the rows are deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def forget_some(
        self, person: Person, place: Sequence[str] | None, history: InstanceHistory
    ) -> Forgotten | None:
        """Purge the next instances after ``place`` (table and id). None if none is left."""
        tables = [holding for holding in holdings() if holding.name in INSTANCES]
        names = [holding.name for holding in tables]
        begin = names.index(place[0]) if place else 0
        for number, holding in enumerate(tables[begin:], begin):
            after = [UUID(place[1])] if place and names[number] == place[0] else None
            async with self._database.session() as session:
                rows = await PersonDataRepository(session).page(holding, person, after, _AT_ONCE)
            if rows:
                return await self._forget(holding.name, [row["id"] for row in rows], after, history)
        return None

    async def _forget(
        self, table: str, ids: Sequence[UUID], after: Sequence[UUID] | None, history: InstanceHistory
    ) -> Forgotten:
        reached = after[0] if after else UUID(int=0)
        for count, row_id in enumerate(ids):
            if not await history.forget(INSTANCES[table].format(id=row_id)):
                return Forgotten(count, (table, str(reached)), living=True)
            reached = row_id
        return Forgotten(len(ids), (table, str(reached)), living=False)

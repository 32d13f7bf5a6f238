"""Deletes what a test committed, between two tests of one worker."""

from sqlalchemy import MetaData

from shared.database.models.metadata import METADATA
from tests.support.postgres import TestDatabase, administrator


def _names(metadata: MetaData) -> list[str]:
    return [f'"{table.name}"' for table in metadata.sorted_tables]


async def empty_tables(database: TestDatabase) -> None:
    """Truncate every table if any holds a row; as the owner, since the app may not."""
    names = _names(METADATA)
    any_row = " OR ".join(f"EXISTS (SELECT 1 FROM {name})" for name in names)  # noqa: S608
    async with administrator(database.owner) as connection:
        if await connection.fetchval(f"SELECT {any_row}"):
            await connection.execute(f"TRUNCATE {', '.join(names)}")

"""What PostgreSQL itself says about connections and about a schema."""

import asyncio
from typing import Any

from tests.support.postgres import administrator

_COLUMNS = """
    SELECT table_name, column_name, data_type, udt_name, is_nullable, column_default
      FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
     ORDER BY table_name, column_name
"""
_CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace
       AND conrelid::regclass::text <> 'alembic_version' ORDER BY 1, 2
"""
_INDEXES = """
    SELECT tablename, indexname, indexdef FROM pg_indexes
     WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY 1, 2
"""
_IN_TRANSACTION = """
    SELECT count(*) FROM pg_stat_activity
     WHERE application_name = $1 AND state <> 'idle' AND pid <> pg_backend_pid()
"""


async def schema_of(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Columns, constraints and indexes of a database, as the server defines them."""
    async with administrator(url) as connection:
        return {
            name: [tuple(row) for row in await connection.fetch(query)]
            for name, query in (("columns", _COLUMNS), ("constraints", _CONSTRAINTS), ("indexes", _INDEXES))
        }


async def busy_connections(url: str, application_name: str) -> int:
    """Connections of an application in a statement or transaction; those just closed get 2 s to go."""
    async with administrator(url) as connection:
        for _ in range(100):
            busy = int(await connection.fetchval(_IN_TRANSACTION, application_name))
            if busy == 0:
                break
            await asyncio.sleep(0.02)
        return busy

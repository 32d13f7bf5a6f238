"""Statements that the driver runs within a session's transaction."""

import pytest
from sqlalchemy import text

from shared.database.engine import Database
from shared.database.prepared import PreparedWrite
from shared.errors import Unavailable

_TENANT = PreparedWrite("""
    INSERT INTO tenants (id, name, added_by)
    SELECT gen_random_uuid(), given, 'test' FROM unnest(CAST(:names AS text[])) AS given
    RETURNING name
""")
_END = PreparedWrite("SELECT pg_terminate_backend(pg_backend_pid(), :patience)")


async def _names(database: Database) -> list[str]:
    async with database.session() as session:
        return list((await session.execute(text("SELECT name FROM tenants ORDER BY 1"))).scalars())


async def test_it_belongs_to_the_transaction_even_as_its_first_statement(database: Database) -> None:
    async def fail() -> None:
        async with database.session() as session:
            await _TENANT.rows(session, {"names": ["lost"]})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.session() as session:
        rows = await _TENANT.rows(session, {"names": ["a", "b"]})
        assert [row["name"] for row in rows] == ["a", "b"]
    assert await _names(database) == ["a", "b"]


async def test_in_a_unit_of_work_it_goes_with_its_savepoint(database: Database) -> None:
    async def fail() -> None:
        async with database.session() as session:
            await _TENANT.rows(session, {"names": ["lost"]})
            raise ZeroDivisionError

    async with database.unit_of_work():
        with pytest.raises(ZeroDivisionError):
            await fail()
        async with database.session() as session:
            await _TENANT.rows(session, {"names": ["kept"]})
    assert await _names(database) == ["kept"]


async def test_a_connection_that_breaks_is_told_and_replaced(database: Database) -> None:
    async def lose() -> None:
        async with database.session() as session:
            await _END.rows(session, {"patience": 0})

    for _ in range(3):
        with pytest.raises(Unavailable):
            await lose()
    assert await _names(database) == []

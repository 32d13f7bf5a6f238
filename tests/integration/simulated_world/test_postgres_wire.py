"""Simulated connections behave like real ones, whatever the borrowed backend has prepared before."""

from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import asyncpg
import pytest

from shared.database.connection_url import connect_arguments
from shared.settings import Settings
from tests.simulation.backends import Backends
from tests.simulation.postgres_wire import PostgresWire
from tests.simulation.prober import Prober
from tests.simulation.virtual_loop import VirtualLoop


@pytest.fixture
def loop(settings: Settings) -> Iterator[VirtualLoop]:
    """A loop of virtual time whose connections go to this worker's database."""
    target = connect_arguments(settings, settings.database_url.get_secret_value(), "wire")
    path = f"{target['host']}/.s.PGSQL.{target.get('port') or 5432}"
    name = unquote(urlsplit(settings.database_url.get_secret_value()).path.lstrip("/"))
    prober = Prober(path, name)
    backends = Backends(path)
    loop = VirtualLoop(PostgresWire(prober, backends))
    yield loop
    loop.wire.close()
    loop.close()
    backends.close()
    prober.close()


def test_savepoint_is_rolled_back_on_every_connection_that_borrows_the_same_backend(
    loop: VirtualLoop, settings: Settings
) -> None:
    # In an aborted transaction a Parse goes to the server, which knows the statement from connections before.
    arguments = connect_arguments(settings, settings.database_url.get_secret_value(), "wire")

    async def fail_in_a_savepoint() -> int:
        connection = await asyncpg.connect(**arguments)
        try:
            transaction = connection.transaction()
            await transaction.start()
            await (await connection.prepare("SAVEPOINT here")).fetch()
            with pytest.raises(asyncpg.DivisionByZeroError):
                await connection.fetchval("SELECT 1 / 0")
            await (await connection.prepare("ROLLBACK TO SAVEPOINT here")).fetch()
            found: int = await connection.fetchval("SELECT 2")
            await transaction.commit()
            return found
        finally:
            connection.terminate()

    for _ in range(3):
        assert loop.run_until_complete(fail_in_a_savepoint()) == 2

"""Fixtures with a real PostgreSQL: ``database`` commits and is emptied, ``session`` is rolled back."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.settings import Settings
from tests.support.emptying import empty_tables
from tests.support.factories import Factory
from tests.support.postgres import TestDatabase, TestServer, run_blocking, shared_server
from tests.support.settings import make_settings


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[TestServer]:
    """The PostgreSQL server of this test run, shared by its workers."""
    folder = tmp_path_factory.getbasetemp()
    with shared_server(folder if worker_id == "master" else folder.parent) as server:
        yield server


@pytest.fixture(scope="session")
def worker_database(postgres_server: TestServer, worker_id: str) -> Iterator[TestDatabase]:
    """This worker's own database, migrated and empty."""
    database = run_blocking(postgres_server.clone(worker_id))
    yield database
    run_blocking(postgres_server.drop(database.name))


@pytest.fixture
def settings(worker_database: TestDatabase) -> Settings:
    """Settings whose database is this worker's own; the app logs in as ``app_user``."""
    return make_settings(database_url=worker_database.user, migration_database_url=worker_database.owner)


@pytest.fixture
async def _pool(settings: Settings) -> AsyncIterator[Database]:
    pool = Database(settings, application_name="test")
    yield pool
    await pool.close()


@pytest.fixture
async def database(_pool: Database, worker_database: TestDatabase) -> AsyncIterator[Database]:
    """The database as the app sees it; what a test commits is deleted after it."""
    yield _pool
    await empty_tables(worker_database)


@pytest.fixture
async def session(_pool: Database) -> AsyncIterator[AsyncSession]:
    """A session in a transaction that is rolled back after the test; ``commit`` ends a savepoint only."""
    async with _pool.engine.connect() as connection:
        transaction = await connection.begin()
        async with AsyncSession(
            connection, join_transaction_mode="create_savepoint", expire_on_commit=False
        ) as session:
            yield session
        await transaction.rollback()


@pytest.fixture
def make(session: AsyncSession) -> Factory:
    """Makes rows in the rolled-back ``session``."""
    return Factory(session)

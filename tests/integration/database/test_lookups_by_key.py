"""What a lookup by key reads in a configuration that the planner's statistics do not know yet."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.database.models.runs import ArchiveRun
from shared.database.repositories.archiving.archive_operations import ArchiveOperationRepository
from shared.database.repositories.archiving.source_identity import SourceIdentityRepository
from shared.domain.runs.archive_run import OperationState
from tests.integration.database.map_rows import new_row
from tests.integration.database.operation_rows import operation_row
from tests.support.factories import Factory
from tests.support.postgres import TestDatabase
from tests.support.settings import make_settings

_ROWS = 300
_KEYS = [f"s:{number}" for number in range(_ROWS)]
# A lookup reads each row once, a foreign key check reads it again. A quadratic lookup reads 90,000 rows.
_AT_MOST = 4 * _ROWS


@pytest.fixture
async def session(worker_database: TestDatabase) -> AsyncIterator[AsyncSession]:
    """A session of the tables' owner, who may collect statistics. It is rolled back."""
    database = Database(make_settings(database_url=worker_database.owner))
    async with database.engine.connect() as connection, AsyncSession(connection) as session:
        yield session
    await database.close()


@pytest.fixture
async def run(session: AsyncSession) -> ArchiveRun:
    """A run of a new configuration, with rows that came after the last statistics."""
    make = Factory(session)
    known = await make.configuration()
    await SourceIdentityRepository(session, known.owner_id, known.id).add([new_row(key) for key in _KEYS])
    await session.execute(text("ANALYZE archived_events"))
    run = await make.run()
    events = SourceIdentityRepository(session, run.owner_id, run.configuration_id)
    await events.add([new_row(key, source_id=key) for key in _KEYS])
    return run


async def _read(session: AsyncSession) -> int:
    fetched = await session.execute(
        text(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables"
            " WHERE relname = 'archived_events'"
        )
    )
    return int(fetched.scalar_one())


async def test_rows_are_found_by_their_keys_and_sources(session: AsyncSession, run: ArchiveRun) -> None:
    events = SourceIdentityRepository(session, run.owner_id, run.configuration_id)
    before = await _read(session)
    assert len(await events.by_keys(_KEYS)) == _ROWS
    assert await _read(session) - before <= _AT_MOST
    assert len(await events.by_sources(_KEYS)) == _ROWS
    assert await _read(session) - before <= 2 * _AT_MOST


async def test_operations_find_their_rows(session: AsyncSession, run: ArchiveRun) -> None:
    operations = ArchiveOperationRepository(session, run.owner_id, run.configuration_id)
    before = await _read(session)
    await operations.add(run.id, [operation_row(key) for key in _KEYS])
    assert await _read(session) - before <= _AT_MOST
    assert await operations.remaining(run.id, OperationState.PLANNED) == _ROWS

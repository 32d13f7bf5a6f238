"""Fixtures of the repositories' tests."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import migrate
from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.archiving.source_identity import SourceIdentityRepository
from shared.database.repositories.overlaps.overlap_members import OverlapMemberRepository
from tests.integration.database.overlap_rows import flagged_events
from tests.support.factories import Factory
from tests.support.postgres import TestDatabase, TestServer
from tests.support.settings import make_settings

type Former = Callable[[str], Awaitable[TestDatabase]]


@pytest.fixture
async def configuration(make: Factory) -> ArchiveConfiguration:
    return await make.configuration()


@pytest.fixture
def events(session: AsyncSession, configuration: ArchiveConfiguration) -> SourceIdentityRepository:
    return SourceIdentityRepository(session, configuration.owner_id, configuration.id)


@pytest.fixture
async def flagged(make: Factory) -> list[ArchivedEvent]:
    """Three flagged events of one configuration."""
    return await flagged_events(make)


@pytest.fixture
def overlaps(session: AsyncSession, flagged: list[ArchivedEvent]) -> OverlapMemberRepository:
    return OverlapMemberRepository(session, flagged[0].owner_id, flagged[0].configuration_id)


@pytest.fixture
def stranger(session: AsyncSession, configuration: ArchiveConfiguration) -> SourceIdentityRepository:
    """The same configuration, asked for by somebody who does not own it."""
    return SourceIdentityRepository(session, uuid.uuid4(), configuration.id)


@pytest.fixture
async def former(postgres_server: TestServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Former]:
    """Makes a database as the version before a migration left it, named by the beginning of its text."""
    made: list[TestDatabase] = []

    async def make(migration: str) -> TestDatabase:
        database = await postgres_server.create("former")
        made.append(database)
        settings = make_settings(database_url=database.user, migration_database_url=database.owner)
        upgrade, target = command.upgrade, _before(migration)
        with monkeypatch.context() as patch:
            patch.setattr(command, "upgrade", lambda config, _: upgrade(config, target))
            assert await migrate.upgrade(settings) == target
        return database

    yield make
    for database in made:
        await postgres_server.drop(database.name)


def _before(migration: str) -> str:
    scripts = ScriptDirectory.from_config(migrate._config())
    (this,) = (each for each in scripts.walk_revisions() if (each.doc or "").startswith(migration))
    assert isinstance(this.down_revision, str)
    return this.down_revision

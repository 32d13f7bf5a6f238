"""Migrations: an empty database becomes what the models say, once, with the app's rights and no more."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from shared.database import migrate
from shared.database.engine import Database
from shared.database.models.metadata import METADATA
from shared.settings import Settings
from tests.support.catalog import schema_of
from tests.support.postgres import TestDatabase, TestServer, administrator
from tests.support.settings import make_settings

TABLES = sorted(METADATA.tables)


@pytest.fixture
async def empty(postgres_server: TestServer) -> AsyncIterator[TestDatabase]:
    """A database without any tables."""
    database = await postgres_server.create("empty")
    yield database
    await postgres_server.drop(database.name)


@pytest.fixture
def owner_settings(empty: TestDatabase) -> Settings:
    """Settings for migrating the empty database."""
    return make_settings(database_url=empty.user, migration_database_url=empty.owner)


async def test_an_empty_database_becomes_what_the_models_say(
    postgres_server: TestServer, empty: TestDatabase, owner_settings: Settings
) -> None:
    assert await migrate.upgrade(owner_settings) == migrate.newest_revision()
    assert await migrate.check(owner_settings) == []

    modelled = await postgres_server.create("modelled")
    engine = create_async_engine(modelled.owner)
    async with engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    await engine.dispose()
    expected, found = await schema_of(modelled.admin), await schema_of(empty.admin)
    await postgres_server.drop(modelled.name)
    assert {row[0] for row in found["columns"]} == set(TABLES)
    for part in ("columns", "constraints", "indexes"):
        assert found[part] == expected[part]


async def test_two_upgrades_at_once_are_safe_and_a_third_changes_nothing(
    empty: TestDatabase, owner_settings: Settings
) -> None:
    together = await asyncio.gather(migrate.upgrade(owner_settings), migrate.upgrade(owner_settings))
    before = await schema_of(empty.admin)
    again = await migrate.upgrade(owner_settings)
    assert {*together, again} == {migrate.newest_revision()}
    assert await schema_of(empty.admin) == before


async def test_a_database_without_tables_is_told_from_a_migrated_one(owner_settings: Settings) -> None:
    database = Database(owner_settings)
    assert await database.revision() is None
    assert await migrate.current(owner_settings) is None
    assert "revision none" in (await migrate.check(owner_settings))[0]
    await migrate.upgrade(owner_settings)
    assert await migrate.current(owner_settings) == migrate.newest_revision()
    assert await database.revision() == migrate.newest_revision()
    await database.close()


async def test_the_app_makes_no_temporary_table(empty: TestDatabase, owner_settings: Settings) -> None:
    await migrate.upgrade(owner_settings)
    async with administrator(empty.user) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CREATE TEMPORARY TABLE users (id int)")


async def test_a_schema_changed_by_hand_is_noticed(empty: TestDatabase, owner_settings: Settings) -> None:
    await migrate.upgrade(owner_settings)
    async with administrator(empty.owner) as connection:
        await connection.execute("ALTER TABLE users ADD COLUMN nickname text")
    assert "nickname" in (await migrate.check(owner_settings))[0]


async def test_a_failed_upgrade_leaves_nothing_half_done(
    empty: TestDatabase, owner_settings: Settings
) -> None:
    async with administrator(empty.owner) as connection:
        await connection.execute("CREATE TABLE audit_entries (id int)")
    with pytest.raises(Exception, match="audit_entries"):
        await migrate.upgrade(owner_settings)
    assert {row[0] for row in (await schema_of(empty.admin))["columns"]} == {"audit_entries"}


@pytest.mark.parametrize("table", TABLES)
async def test_the_app_may_not_change_what_is_there_to_prove_something(
    worker_database: TestDatabase, table: str
) -> None:
    async with administrator(worker_database.user) as connection:
        rights = {
            right
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
            if await connection.fetchval("SELECT has_table_privilege($1, $2)", table, right)
        }
    append_only = {"SELECT", "INSERT"}
    assert rights == (
        append_only if table in ("audit_entries", "audit_seals") else append_only | {"UPDATE", "DELETE"}
    )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET actor = 'nobody'",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
        "ALTER TABLE audit_entries ADD COLUMN x int",
        "UPDATE alembic_version SET version_num = 'x'",
        "CREATE TABLE mine (id int)",
    ],
)
async def test_the_database_refuses_the_app(worker_database: TestDatabase, statement: str) -> None:
    async with administrator(worker_database.user) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


def _command(*arguments: str) -> int:
    # In a thread: the command line runs an event loop of its own.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(migrate.main, arguments).result()


async def test_the_command_line_migrates_the_database_of_the_environment(
    empty: TestDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ADMIN_ASSISTANT_DATABASE_URL", "ADMIN_ASSISTANT_MIGRATION_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", empty.owner)
    assert _command("check") == 1
    assert _command("upgrade") == 0
    assert _command("current") == 0
    assert _command("check") == 0
    assert capsys.readouterr().out.splitlines()[1:] == [migrate.newest_revision()] * 2 + ["up to date"]


async def test_the_command_line_says_in_one_line_what_is_wrong(
    unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"postgresql://me:hunter2@127.0.0.1:{unused_tcp_port}/d"
    monkeypatch.setenv("ADMIN_ASSISTANT_MIGRATION_DATABASE_URL", url)
    assert _command("upgrade") == 1
    monkeypatch.setenv("ADMIN_ASSISTANT_MIGRATION_DATABASE_URL", "mysql://me:hunter2@h/d")
    assert _command("upgrade") == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("migrate: the database could not be migrated: ")
    assert lines[1].startswith("migrate: settings: ")
    assert "hunter2" not in "".join(lines)

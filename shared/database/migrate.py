"""Migrates the database to the newest schema: ``python -m shared.database.migrate upgrade|current|check``.

Connects as the owner of the tables: ``ADMIN_ASSISTANT_MIGRATION_DATABASE_URL`` if set, else the app's URL.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import ValidationError
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from shared.database.connection_url import DatabaseUrlError, connect_arguments
from shared.database.entra import EntraPassword
from shared.database.models.metadata import METADATA
from shared.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"
#: The advisory lock of a migration. Any number that nothing else uses.
_LOCK = 7_301_194_512
_LOCK_TIMEOUT_SECONDS = 300


async def upgrade(settings: Settings) -> str:
    """Migrate to the newest revision and return it. Two calls at once are safe."""
    return await _on_connection(settings, _upgrade)


async def current(settings: Settings) -> str | None:
    """The revision of the database, None before the first migration."""
    return await _on_connection(settings, _current)


async def check(settings: Settings) -> list[str]:
    """What is missing: migrations to run, and differences between models and schema."""
    return await _on_connection(settings, _check)


def newest_revision() -> str:
    """The revision that the code expects."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


async def _on_connection[Result](settings: Settings, work: Callable[[Connection], Result]) -> Result:
    url = settings.owner_database_url.get_secret_value()
    arguments = connect_arguments(settings, url, "admin-assistant-migrate")
    # A migration may rewrite a large table, and a second one waits for the first.
    arguments["command_timeout"] = None
    arguments["server_settings"] |= {"statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
    entra = EntraPassword.create(settings) if settings.database_entra_auth else None
    if entra:
        arguments["password"] = entra

    async def connect() -> Any:
        return await asyncpg.connect(**arguments)

    engine = create_async_engine(url, async_creator=connect, poolclass=NullPool, hide_parameters=True)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()
        if entra:
            await entra.close()


def _upgrade(connection: Connection) -> str:
    connection.execute(text(f"SET lock_timeout = '{_LOCK_TIMEOUT_SECONDS}s'"))
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
    connection.execute(text("RESET lock_timeout"))
    connection.commit()
    # The lock belongs to the connection and ends with it.
    command.upgrade(_config(connection), "head")
    connection.commit()
    return _current(connection) or ""


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _check(connection: Connection) -> list[str]:
    found, wanted = _current(connection), newest_revision()
    if found != wanted:
        return [f"the database is at revision {found or 'none'}, the code expects {wanted}"]
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return [f"models and schema differ: {difference}" for difference in compare_metadata(context, METADATA)]


async def _run(what: str, settings: Settings) -> int:
    if what == "check":
        problems = await check(settings)
        _say("\n".join(problems) or "up to date")
        return 1 if problems else 0
    revision = await (upgrade(settings) if what == "upgrade" else current(settings))
    _say(revision or "no migration was run yet")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 1 with one clear line if it failed."""
    parser = argparse.ArgumentParser(prog="python -m shared.database.migrate", description=__doc__)
    parser.add_argument("what", choices=("upgrade", "current", "check"))
    what: str = parser.parse_args(arguments).what
    try:
        return asyncio.run(_run(what, Settings()))
    except (ValidationError, DatabaseUrlError) as error:
        _complain(f"settings: {error}")
    except (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        _complain(f"the database could not be migrated: {getattr(error, 'orig', None) or error}")
    return 1


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _complain(line: str) -> None:
    sys.stderr.write(f"migrate: {line}\n")


if __name__ == "__main__":
    sys.exit(main())

"""The PostgreSQL of the local system survives what happens to it (functions-host.md)."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from infra.local.errors import LocalError
from infra.local.postgres import DATABASE, OWNER, USER, Postgres
from infra.local.state_folder import delete_state


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Path]:
    state = tmp_path / "a folder with spaces" / "postgres"
    yield state
    delete_state(state)


@pytest.fixture
async def postgres(folder: Path) -> AsyncIterator[Postgres]:
    server = Postgres(folder, environ={})
    await server.start()
    yield server
    await server.stop()


async def connect(postgres: Postgres, role: str = OWNER, database: str = DATABASE) -> "asyncpg.Connection":
    url = make_url(postgres.url(role, database)).set(drivername="postgresql")
    return await asyncpg.connect(url.render_as_string(hide_password=False))


async def test_the_app_is_no_superuser_and_owns_nothing(postgres: Postgres) -> None:
    connection = await connect(postgres, USER)
    try:
        row = await connection.fetchrow(
            "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        )
        assert not any(row)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CREATE TABLE mine (a int)")
    finally:
        await connection.close()


async def test_the_owner_may_add_the_extensions_that_migrations_need(postgres: Postgres) -> None:
    connection = await connect(postgres)
    await connection.execute("CREATE EXTENSION btree_gist; CREATE EXTENSION pgcrypto")
    await connection.close()


async def test_committed_rows_survive_kill_9_and_restart(folder: Path) -> None:
    server = Postgres(folder, environ={})
    await server.start()
    try:
        connection = await connect(server)
        await connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
        for _ in range(3):
            await server.kill()
            await server.start()
            assert not server.created
            connection = await connect(server)
            assert await connection.fetchval("SELECT count(*) FROM kept") == 1000
            await connection.close()
    finally:
        await server.stop()


async def test_a_server_whose_supervisor_was_killed_is_taken_over(folder: Path) -> None:
    script = (
        "import asyncio, sys, pathlib; from infra.local.postgres import Postgres\n"
        "async def main():\n"
        "    server = Postgres(pathlib.Path(sys.argv[1]), environ={}); await server.start()\n"
        "    print(server.pid, flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", script, str(folder)]
    supervisor = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert supervisor.stdout is not None
    orphan = int(await supervisor.stdout.readline())
    supervisor.kill()
    await supervisor.wait()
    os.kill(orphan, 0)
    async with Postgres(folder, environ={}) as server:
        assert server.pid != orphan
        await (await connect(server)).close()


async def test_a_pid_file_left_by_another_process_is_no_hindrance(folder: Path) -> None:
    async with Postgres(folder, environ={}) as server:
        data = server.data_folder
    assert data is not None
    # Our own process is alive and is no server.
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1\n5432\n\n\n\nready\n")
    async with Postgres(folder, environ={}) as server:
        assert server.pid != os.getpid()


async def test_two_systems_cannot_share_one_folder(postgres: Postgres, folder: Path) -> None:
    with pytest.raises(LocalError, match="in use by another process"):
        await Postgres(folder, environ={}).start()
    await (await connect(postgres)).close()


async def test_two_systems_run_side_by_side(postgres: Postgres, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    try:
        async with Postgres(folder, environ={}) as other:
            assert other.url() != postgres.url()
            await (await connect(other)).close()
            await (await connect(postgres)).close()
    finally:
        delete_state(folder)


async def test_a_folder_whose_path_is_too_long_for_a_socket_works(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120) / "postgres"
    try:
        async with Postgres(folder, environ={}) as server:
            await (await connect(server)).close()
    finally:
        delete_state(folder)


async def test_a_folder_only_we_may_enter_works(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir(mode=0o700)
    folder = secret / "postgres"
    try:
        async with Postgres(folder, environ={}) as server:
            await (await connect(server)).close()
    finally:
        delete_state(folder)


async def test_databases_are_cloned_and_dropped(postgres: Postgres) -> None:
    connection = await connect(postgres)
    await connection.execute("CREATE TABLE seeded AS SELECT 1 AS n")
    await connection.close()
    await postgres.create_database("worker_1", template=DATABASE)
    connection = await connect(postgres, database="worker_1")
    assert await connection.fetchval("SELECT n FROM seeded") == 1
    await postgres.drop_database("worker_1")
    await postgres.drop_database("worker_1")
    with pytest.raises(ValueError, match="not a plain database name"):
        await postgres.create_database('x"; DROP DATABASE admin_assistant; --')


async def test_the_server_of_database_url_wins(postgres: Postgres, tmp_path: Path) -> None:
    folder = tmp_path / "unused"
    environ = {"DATABASE_URL": admin_url(postgres, "given")}
    async with Postgres(folder, environ=environ) as given:
        for role in (USER, OWNER):
            connection = await connect(given, role, "given")
            assert await connection.fetchval("SELECT current_user") == role
            await connection.close()
        assert given.url().startswith("postgresql+asyncpg://app_user:")
        assert given.pid is None


async def test_a_database_url_without_a_database_gives_each_system_its_own(
    postgres: Postgres, tmp_path: Path
) -> None:
    environ = {"DATABASE_URL": admin_url(postgres, "postgres")}
    async with (
        Postgres(tmp_path / "one", environ=environ) as one,
        Postgres(tmp_path / "two", environ=environ) as two,
        Postgres(tmp_path / "one", environ=environ) as one_again,
    ):
        assert one.database == one_again.database != two.database
        await (await connect(two, USER, two.database)).close()


async def test_what_a_deleted_system_left_outside_is_swept_by_the_next_one(tmp_path: Path) -> None:
    folders = [tmp_path / f"{number}{'x' * 120}" / "postgres" for number in range(2)]
    outside = []
    try:
        for folder in folders:
            async with Postgres(folder, environ={}) as server:
                outside.append(Path(str(make_url(server.url()).query["host"])).parent)
            shutil.rmtree(folder)
        assert [folder.exists() for folder in outside] == [False, True]
    finally:
        for folder in folders:
            delete_state(folder)


async def test_a_database_url_that_may_not_make_roles_needs_one_for_migrations(postgres: Postgres) -> None:
    plain = postgres.url(USER).replace("+asyncpg", "")
    with pytest.raises(LocalError, match="DATABASE_OWNER_URL"):
        await Postgres(Path("unused"), environ={"DATABASE_URL": plain}).start()
    environ = {"DATABASE_URL": plain, "DATABASE_OWNER_URL": postgres.url(OWNER)}
    async with Postgres(Path("unused"), environ=environ) as given:
        assert make_url(given.url(USER)).username == USER
        assert make_url(given.url(OWNER)).username == OWNER


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "postgresql://nobody@127.0.0.1:1/x"])
async def test_a_database_url_that_cannot_be_used_is_one_line(url: str) -> None:
    with pytest.raises(LocalError) as refused:
        await Postgres(Path("unused"), environ={"DATABASE_URL": url}).start()
    assert "\n" not in str(refused.value)


def admin_url(postgres: Postgres, database: str) -> str:
    url = make_url(postgres.url(USER)).set(drivername="postgres", username="postgres", database=database)
    return url.render_as_string(hide_password=False)

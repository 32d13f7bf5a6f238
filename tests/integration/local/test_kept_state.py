"""A state folder of which a part is damaged or gone is refused with what to do; nobody else may read it."""

import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from infra.local.errors import LocalError
from infra.local.stack import Stack
from tests.integration.local.conftest import APP


@contextmanager
def _gone(path: Path) -> Iterator[None]:
    aside = path.with_name(f"{path.name}.aside")
    path.rename(aside)
    yield
    assert not path.exists(), "it was created again"
    aside.rename(path)


@contextmanager
def _changed(path: Path, change: Callable[[bytes], bytes]) -> Iterator[None]:
    content = path.read_bytes()
    path.write_bytes(change(content))
    yield
    # In place: the file may belong to the account that PostgreSQL runs as.
    path.write_bytes(content)


@contextmanager
def _without_table(path: Path, table: str) -> Iterator[None]:
    content = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"DROP TABLE {table}")
        connection.commit()
    yield
    path.write_bytes(content)


def _damages(state: Path, data: Path) -> dict[str, AbstractContextManager[None]]:
    damages: dict[str, AbstractContextManager[None]] = {}
    for path, table in (
        (state / "graph.json", "keys"),
        (state / "functions" / "durable.sqlite3", "instance"),
    ):
        damages |= {
            f"{path.name} gone": _gone(path),
            f"{path.name} empty": _changed(path, lambda _: b""),
            f"{path.name} cut": _changed(path, lambda content: content[: len(content) // 2]),
            f"{path.name} no database": _changed(path, lambda content: b"x" * len(content)),
            f"{path.name} without a table": _without_table(path, table),
        }
    return damages | {
        "database gone": _gone(data),
        "database not whole": _gone(data / "PG_VERSION"),
        "database damaged": _changed(data / "global" / "pg_control", lambda content: bytes(len(content))),
    }


async def test_what_is_damaged_or_gone_is_refused_in_one_line_and_made_again_by_nobody(
    app: Path, state: Path
) -> None:
    async with Stack(state, app=app) as stack:
        await stack.simulator("POST", "mailboxes", [{"address": "a@example.com"}])
        data = stack.postgres.data_folder
        assert data is not None
    for what, damage in _damages(state, data).items():
        with damage, pytest.raises(LocalError) as refused:
            await Stack(state, app=app, migrate=False).start()
        told = str(refused.value)
        assert "\n" not in told, what
        assert told.endswith(f"start again: ./dev clean --state {state}"), (what, told)
    async with Stack(state, app=app, migrate=False) as stack:
        mailboxes = (await stack.simulator("GET", "mailboxes"))["value"]
        assert [entry["address"] for entry in mailboxes] == ["a@example.com"]
        await stack.postgres.drop_database(stack.postgres.database)
    with pytest.raises(LocalError, match="has been emptied or is gone; put it back"):
        await Stack(state, app=app, migrate=False).start()


async def test_a_start_that_was_interrupted_is_no_damage(app: Path, state: Path) -> None:
    (app / "function_app.py").write_text("raise RuntimeError('not yet')")
    with pytest.raises(LocalError, match="not yet"):
        await Stack(state, app=app, migrate=False).start()
    (app / "function_app.py").write_text(APP)
    async with Stack(state, app=app, migrate=False) as stack:
        assert (await stack.client.get(f"{stack.base_url}/api/health/ready")).is_success


async def test_only_we_may_read_what_is_kept_what_a_former_version_made_included(
    app: Path, state: Path
) -> None:
    async with Stack(state, app=app, migrate=False) as stack:
        await stack.simulator("POST", "mailboxes", [{"address": "a@example.com"}])
        assert _readable_by_others(state) == []
    for path in (state / "graph.json", state / "functions" / "secrets" / "host.json", state / "made.json"):
        path.chmod(0o644)
    (state / "functions").chmod(0o755)
    async with Stack(state, app=app, migrate=False):
        assert _readable_by_others(state) == []


def _readable_by_others(state: Path) -> list[str]:
    """Everything below the folder that others may read; PostgreSQL refuses to start where its data is."""
    paths = [path for path in state.rglob("*") if "postgres" not in path.relative_to(state).parts]
    return [str(path) for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077]

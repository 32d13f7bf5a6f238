"""Looks every few seconds whether a running system has what it needs: room on disk, PostgreSQL."""

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from infra.local import disks
from infra.local.stack import Stack

#: Seconds between two looks. Together with the patience below, trouble is reported within 10 s.
LOOK_SECONDS = 2.0
#: Seconds that one look waits for an answer.
PATIENCE_SECONDS = 4.0
#: Seconds that the end waits for a check in progress.
_END_SECONDS = 0.5


def _say(text: str) -> None:
    print(f"dev: {text}", file=sys.stderr, flush=True)


@asynccontextmanager
async def told(stack: Stack, say: Callable[[str], None] = _say) -> AsyncIterator[None]:
    """Report trouble of a system when it begins and when it ends, inside the block.

    Each check has its own thread, which calls ``say``. So it waits neither for the event loop, which reading
    a large file blocks, nor for another check.
    """
    over = threading.Event()
    watches = [
        threading.Thread(target=watch, args=(stack, say, over), daemon=True)
        for watch in (_watch_disks, _watch_database)
    ]
    for watch in watches:
        watch.start()
    try:
        yield
    finally:
        over.set()
        for watch in watches:
            await asyncio.to_thread(watch.join, _END_SECONDS)


async def database_trouble(url: str) -> str | None:
    """What keeps the PostgreSQL of a URL from answering within four seconds; None if it answers."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            connection = await asyncpg.connect(plain, timeout=PATIENCE_SECONDS)
            try:
                await connection.fetchval("SELECT 1")
            finally:
                connection.terminate()
    except TimeoutError:
        return f"PostgreSQL has not answered for {PATIENCE_SECONDS:.0f} s: it is stopped or overloaded"
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return f"PostgreSQL cannot be reached: {error}"
    return None


def _watch_disks(stack: Stack, say: Callable[[str], None], over: threading.Event) -> None:
    before: dict[Path, str | None] = {}
    while not over.is_set():
        for folder in _folders(stack):
            trouble = disks.trouble(folder)
            if trouble != before.get(folder) and not over.is_set():
                say(trouble or f"the disk of {folder} has room again")
                before[folder] = trouble
        over.wait(LOOK_SECONDS)


def _folders(stack: Stack) -> Iterator[Path]:
    """One folder for each disk that the system writes to."""
    seen = set()
    data = stack.postgres.data_folder
    for folder in (stack.state_dir, *([data.parent] if data else [])):
        there = next((path for path in (folder, *folder.parents) if path.exists()), None)
        with contextlib.suppress(OSError):
            if there is not None and (disk := there.stat().st_dev) not in seen:
                seen.add(disk)
                yield folder


def _watch_database(stack: Stack, say: Callable[[str], None], over: threading.Event) -> None:
    before: str | None = None
    while not over.is_set():
        # Before it is ready, and once it has ended, its supervisor tells what happened.
        trouble = asyncio.run(database_trouble(stack.database_url)) if stack.postgres.serving else None
        serving = stack.postgres.serving and not over.is_set()
        if not serving:
            trouble = None
        if trouble != before and serving:
            say(trouble or "PostgreSQL answers again")
        before = trouble
        over.wait(LOOK_SECONDS)

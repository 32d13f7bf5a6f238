"""A plain connection of the administrator, to look at PostgreSQL while the simulated world stands still."""

import os
import signal
import socket
import struct
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar

from tests.simulation.postgres_protocol import count_ready, messages, row_of
from tests.simulation.server_clock import PREPARE, SEARCH_PATH, start_uuids

_LONGEST_SECONDS = 120.0
# What a server does beside its answers; what it recovers by after a crash stays as it is.
_SETTINGS = {
    "autovacuum": "off",
    "bgwriter_delay": "'10s'",
    "bgwriter_lru_maxpages": "0",
    "checkpoint_timeout": "'1h'",
    "deadlock_timeout": "'1h'",
    "track_counts": "off",
    "update_process_title": "off",
    "wal_writer_delay": "'10s'",
}


class Stalled(Exception):
    """The simulated system cannot continue."""


@dataclass(slots=True)
class Prober:
    """A plain connection of the administrator, used while the simulated world stands still."""

    path: str
    database: str
    user: str = "postgres"
    #: Whether two configurations may have one source and one archive: the rule is switched off (``without``).
    pairs_are_free: ClassVar[bool] = False
    _socket: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self._connect()

    def _connect(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(self.path)
        parameters = f"user\0{self.user}\0database\0{self.database}\0\0".encode()
        self._socket.sendall(struct.pack("!II", 8 + len(parameters), 196608) + parameters)
        self._reply()

    def blocked(self, pid: int) -> bool:
        """Whether a backend waits for a lock of another one."""
        return self.query(f"SELECT cardinality(pg_blocking_pids({pid})) > 0") == [["t"]]

    def deadlocked(self, pids: list[int]) -> bool:
        """Whether some of the backends wait for each other in a circle."""
        blockers = "SELECT unnest(pg_blocking_pids({pid}))"
        waits = {pid: {int(row[0]) for row in self.query(blockers.format(pid=pid))} for pid in pids}
        alive = set(waits)
        while alive:
            ended = {pid for pid in alive if not waits[pid] & alive}
            if not ended:
                return True
            alive -= ended
        return False

    def wait_gone(self, pid: int) -> None:
        """Return when a backend has ended and its transaction is rolled back."""
        deadline = time.perf_counter() + _LONGEST_SECONDS
        while pid and self._alive(pid):
            if time.perf_counter() > deadline:
                raise Stalled("a backend does not end")
            time.sleep(0.0005)

    def _alive(self, pid: int) -> bool:
        return bool(self.query(f"SELECT 1 FROM pg_stat_get_activity({pid})"))  # noqa: S608 - a number

    def terminate(self, pid: int) -> None:
        """End a backend that waits for a lock."""
        self.query(f"SELECT pg_terminate_backend({pid})")

    def prepare(self) -> None:
        """Make the database behave the same whatever ran on it before, and fast: nobody looks after it."""
        for name, value in _SETTINGS.items():
            self.query(f"ALTER SYSTEM SET {name} = {value}")
        self.query("SELECT pg_reload_conf()")
        self.query(
            f'ALTER DATABASE "{self.database}" SET plan_cache_mode = force_generic_plan;'
            f'ALTER DATABASE "{self.database}" SET jit = off;'
            f'ALTER DATABASE "{self.database}" SET search_path = {SEARCH_PATH}'
        )
        self.query(PREPARE)
        if self.pairs_are_free:
            self.query("DROP INDEX IF EXISTS uq_archive_configurations_pair")
        tables = self.query("SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND oid > 16383")
        self.query(";".join(f"ALTER TABLE {name} SET (autovacuum_enabled = off)" for (name,) in tables))

    def empty(self, tables: Sequence[str]) -> None:
        """Make the tables as new: those that take up space, be it with deleted rows, are truncated."""
        filled = self.query(
            " UNION ALL ".join(f"SELECT '{table}' WHERE pg_relation_size('{table}') > 0" for table in tables)
        )
        if filled:
            self.query(f"TRUNCATE {', '.join(name for (name,) in filled)} RESTART IDENTITY CASCADE")
        self.query(start_uuids(1))

    def restart_server(self) -> None:
        """Kill a backend: the server ends all others, recovers from its log and comes back."""
        victim = Prober(self.path, self.database)
        ((pid,),) = victim.query("SELECT pg_backend_pid()")
        os.kill(int(pid), signal.SIGKILL)
        victim.close()
        # Ours is ended by the restart itself; before that a new connection could still reach the old server.
        self._socket.settimeout(_LONGEST_SECONDS)
        with suppress(ConnectionError):
            while self._socket.recv(1 << 16):
                pass
        self._socket.close()
        deadline = time.perf_counter() + _LONGEST_SECONDS
        while time.perf_counter() < deadline:
            with suppress(OSError, Stalled):
                self._connect()
                return
            time.sleep(0.002)
        raise Stalled("PostgreSQL did not come back")

    def query(self, statement: str) -> list[list[str]]:
        """The rows of a statement as text."""
        raw = statement.encode() + b"\0"
        self._socket.sendall(b"Q" + struct.pack("!I", 4 + len(raw)) + raw)
        return self._reply()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _reply(self) -> list[list[str]]:
        data = bytearray()
        while not count_ready(data):
            part = self._socket.recv(1 << 16)
            if not part:
                raise Stalled("the administrator's connection was lost")
            data += part
        rows = []
        for kind, body in messages(data):
            if kind == b"E":
                raise Stalled(f"the administrator's statement failed: {body!r}")
            if kind == b"D":
                rows.append(row_of(body))
        return rows

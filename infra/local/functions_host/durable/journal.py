"""The hub's state on disk: SQLite in WAL mode, one writer thread, many changes in one commit.

A change is a list of rows that belong together; it is written whole or not at all, after those given before.
WAL with `synchronous=NORMAL` keeps every commit when the process is killed; power loss may cost the last.
What was deleted is overwritten, so that a purged instance cannot be read in the file any more.
"""

import contextlib
import logging
import queue
import random
import sqlite3
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from infra.local.functions_host.durable.refusals import StorageError

LOG = logging.getLogger("functions_host.durable")
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS instance (
    hub TEXT NOT NULL, id TEXT NOT NULL, state BLOB NOT NULL, pending BLOB NOT NULL, parent BLOB, trace BLOB,
    PRIMARY KEY (hub, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (
    hub TEXT NOT NULL, instance TEXT NOT NULL, position INTEGER NOT NULL, events BLOB NOT NULL,
    PRIMARY KEY (hub, instance, position)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entity (
    hub TEXT NOT NULL, id TEXT NOT NULL, state TEXT, modified REAL NOT NULL, section TEXT, owner TEXT,
    pending BLOB NOT NULL, PRIMARY KEY (hub, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS delayed_signal (
    hub TEXT NOT NULL, id TEXT NOT NULL, entity TEXT NOT NULL, due REAL NOT NULL, event BLOB NOT NULL,
    PRIMARY KEY (hub, id)) WITHOUT ROWID;
"""
_ATTEMPTS = 6
_MOST_IN_ONE_COMMIT = 500
_PURGES = ("DELETE FROM instance", "DELETE FROM entity")

Statement = tuple[str, tuple[Any, ...]]


class Journal:
    """One hub's rows in the file at `path`. `open`, `read`, then `append` from any thread, then `close`."""

    def __init__(self, path: Path, hub: str) -> None:
        self.hub = hub
        self._path = path
        self._queue: queue.SimpleQueue[tuple[Sequence[Statement], Future[None]] | None] = queue.SimpleQueue()
        self._connection: sqlite3.Connection | None = None
        self._thread: threading.Thread | None = None
        self.broken: StorageError | None = None

    def open(self) -> None:
        """Opens or makes the file and starts the writer.

        Raises StorageError if another process has it, or it is not one of ours.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if not self._path.exists():
            self._make()
        connection = sqlite3.connect(self._path, timeout=2, isolation_level=None, check_same_thread=False)
        try:
            # Exclusive: a second host on the same state would run everything twice.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA secure_delete = ON")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                raise StorageError(
                    f"{self._path} has been emptied: restore it, or move it away to start again"
                )
            if version != _VERSION:
                raise StorageError(
                    f"{self._path} was written by another version: move it away to start again"
                )
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(found)
            connection.executescript(_SCHEMA)
        except sqlite3.OperationalError as error:
            connection.close()
            raise StorageError(
                f"{self._path} cannot be used ({error}): is another host running on it?"
            ) from error
        except sqlite3.DatabaseError as error:
            connection.close()
            raise StorageError(
                f"{self._path} is damaged or no Durable state file ({error}): restore it, or move it away to "
                "start afresh"
            ) from error
        except StorageError:
            connection.close()
            raise
        self._connection = connection
        self._thread = threading.Thread(target=self._write_all, name="durable-journal", daemon=True)

    def _make(self) -> None:
        # Renamed when complete: an empty file is one that was emptied.
        unfinished = self._path.with_name(f"{self._path.name}.new")
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode=0o600)
        with contextlib.closing(sqlite3.connect(unfinished)) as connection:
            connection.executescript(_SCHEMA)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        unfinished.replace(self._path)

    def read(self, table: str, order: str = "id") -> list[tuple[Any, ...]]:
        """All rows of the hub in `table` without the hub's name; only before `begin`."""
        if self._connection is None:
            raise StorageError("the journal is not open")
        sql = f"SELECT * FROM {table} WHERE hub = ? ORDER BY {order}"  # noqa: S608 - our own table names
        return [row[1:] for row in self._connection.execute(sql, (self.hub,))]

    def begin(self) -> None:
        """Starts the writer thread; from here on the connection is its own."""
        if self._thread is not None:
            self._thread.start()

    def append(self, statements: Sequence[Statement]) -> Future[None]:
        """Writes the statements as one; the future ends when they are on disk, or with StorageError."""
        done: Future[None] = Future()
        self._queue.put((statements, done))
        return done

    def close(self) -> None:
        """Writes what was given, then lets the file go."""
        if self._thread is not None and self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _write_all(self) -> None:
        going = True
        while going:
            changes = [self._queue.get()]
            while len(changes) < _MOST_IN_ONE_COMMIT:
                try:
                    changes.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            going = None not in changes
            self._settle([change for change in changes if change is not None])

    def _settle(self, changes: list[tuple[Sequence[Statement], Future[None]]]) -> None:
        if not changes:
            return
        if self.broken is None:
            self.broken = self._commit([statement for statements, _ in changes for statement in statements])
        for _, done in changes:
            if self.broken is None:
                done.set_result(None)
            else:
                done.set_exception(self.broken)

    def _commit(self, statements: list[Statement]) -> StorageError | None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._transaction(statements)
            except sqlite3.Error as error:
                LOG.warning("Durable state not written (attempt %d of %d): %s", attempt, _ATTEMPTS, error)
                if attempt == _ATTEMPTS:
                    LOG.exception("Durable state cannot be written any more: nothing new is run")
                    return StorageError(f"Durable state cannot be written: {error}")
                time.sleep(random.uniform(0.5, 1.0) * 0.05 * 2**attempt)
            else:
                return None
        return None

    def _transaction(self, statements: list[Statement]) -> None:
        connection = self._connection
        if connection is None:
            raise sqlite3.ProgrammingError("the journal is closed")
        connection.execute("BEGIN")
        try:
            for sql, parameters in statements:
                connection.execute(sql, parameters)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        if any(sql.startswith(_PURGES) for sql, _ in statements):
            # The log still holds the pages as they were before; a failure leaves them for the next time.
            with contextlib.suppress(sqlite3.Error):
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

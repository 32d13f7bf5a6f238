"""Saves the state to one SQLite file before an answer reports it, off the event loop.

One transaction writes everything that changed since the last one. Requests that arrive during a commit share
the next. The write-ahead log with ``synchronous = OFF`` keeps every commit when the process is killed,
because the operating system has the pages by then. A power failure may cost the last commits or the file.
"""

import asyncio
import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from infra.local.graph_simulator.state.model import Calendar, Event, Json, Mailbox, Override, Stamp
from infra.local.graph_simulator.state.state import Changed, State
from infra.local.graph_simulator.values.recurrence import parse_recurrence
from infra.local.graph_simulator.values.times import Span, build_span, require_zone
from infra.local.graph_simulator.values.tokens import KeyRing, SigningKey

_TABLES = """
CREATE TABLE IF NOT EXISTS keys (kid TEXT PRIMARY KEY, pem TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS mailboxes (oid TEXT PRIMARY KEY, position INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS events (mailbox TEXT, key TEXT, data BLOB NOT NULL, PRIMARY KEY (mailbox, key));
CREATE TABLE IF NOT EXISTS groups (id TEXT PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS transactions (mailbox TEXT, id TEXT, key TEXT, at REAL, PRIMARY KEY (mailbox, id));
"""
_LOGGER = logging.getLogger(__name__)
type _Write = tuple[str, list[tuple[Any, ...]]]


class DamagedFile(Exception):
    """The file is there but holds no state of a simulator, or not all of it."""


class Store:
    """Keeps a state's file up to date; ``settled`` tells when what was changed is in it."""

    def __init__(self, path: Path, state: State, keys: KeyRing) -> None:
        self._path = path
        self._state = state
        self._keys = keys
        self._connection: sqlite3.Connection | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="mailboxes")
        self._task: asyncio.Task[None] | None = None
        #: How many changes there were, and how many of them are in the file.
        self._changes = 0
        self._saved = 0

    def load(self) -> None:
        """Read the file if it is there and save from now on; a new file gets the signing keys at once.

        Raises :class:`DamagedFile` for a file that is empty, no database or incomplete; it stays as it is.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = not self._path.exists()
        if fresh:
            self._make()
        self._path.chmod(0o600)
        check(self._path)
        connection = self._connection = sqlite3.connect(self._path, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        if not fresh:
            try:
                _read(connection, self._state, self._keys)
            except (LookupError, TypeError, ValueError, sqlite3.Error) as error:
                raise DamagedFile(f"{self._path} cannot be read: {error!r}") from error
        self._state.on_change = self._changed

    def _make(self) -> None:
        # Renamed when complete: an empty file is one that was emptied.
        unfinished = self._path.with_name(f"{self._path.name}.new")
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode=0o600)
        with closing(sqlite3.connect(unfinished)) as connection:
            connection.executescript(_TABLES)
            rows = [(key.kid, key.pem()) for key in self._keys.keys]
            connection.executemany("INSERT INTO keys VALUES (?, ?)", rows)
            connection.commit()
        unfinished.replace(self._path)

    async def settled(self) -> None:
        """Wait until every change made so far is in the file; raises ``sqlite3.Error`` if it cannot be."""
        wanted = self._changes
        while self._saved < wanted:
            task = self._task
            # One that is done has yet to be followed up: awaiting it would not let the loop do so.
            await asyncio.shield(self._begin() if task is None or task.done() else task)

    async def close(self) -> None:
        """Save for the last time."""
        self._state.on_change = lambda: None
        try:
            if self._connection is not None:
                await self.settled()
        finally:
            self._writer.shutdown()
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _changed(self) -> None:
        self._changes += 1
        if self._task is None:
            # It starts when the handler returns, so that what belongs together is in one transaction.
            self._begin()

    def _begin(self) -> asyncio.Task[None]:
        self._task = asyncio.get_running_loop().create_task(self._save())
        self._task.add_done_callback(self._ended)
        return self._task

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._task is task:
            self._task = None
        if task.cancelled():
            return
        if error := task.exception():
            # The changes are kept and go with the next save.
            _LOGGER.error("cannot save %s: %s", self._path, error)
        elif self._saved < self._changes and self._task is None:
            self._begin()

    async def _save(self) -> None:
        count, changed = self._changes, self._state.take_changes()
        writes = self._writes(changed)
        try:
            if writes:
                await asyncio.get_running_loop().run_in_executor(self._writer, self._write, writes)
        except sqlite3.Error:
            self._state.give_back(changed)
            raise
        self._saved = count

    def _writes(self, changed: Changed) -> list[_Write]:
        state = self._state
        gone = [pair for pair, event in changed.events.items() if event is None]
        kept = [(oid, key, _event_bytes(event)) for (oid, key), event in changed.events.items() if event]
        order = {oid: number for number, oid in enumerate(state.mailboxes)}
        groups = [(group_id, orjson.dumps(state.groups[group_id])) for group_id in changed.groups]
        boxes = [(oid, order[oid], _mailbox_bytes(state.mailboxes[oid])) for oid in changed.mailboxes]
        writes: list[_Write] = [
            ("DELETE FROM events WHERE mailbox = ? AND key = ?", list(gone)),
            ("INSERT OR REPLACE INTO events VALUES (?, ?, ?)", list(kept)),
            ("INSERT OR REPLACE INTO mailboxes VALUES (?, ?, ?)", list(boxes)),
            ("INSERT OR REPLACE INTO groups VALUES (?, ?)", list(groups)),
            ("INSERT OR REPLACE INTO transactions VALUES (?, ?, ?, ?)", list(changed.transactions)),
            (
                "INSERT OR REPLACE INTO keys VALUES (?, ?)",
                [(key.kid, key.pem()) for key in self._keys.unsaved()],
            ),
        ]
        return [write for write in writes if write[1]]

    def _write(self, writes: list[_Write]) -> None:
        if self._connection is None:
            raise sqlite3.ProgrammingError("the file is closed")
        with self._connection as connection:
            for statement, rows in writes:
                connection.executemany(statement, rows)


def check(path: Path) -> None:
    """Raise :class:`DamagedFile` unless the file is a whole database with what every state has."""
    if path.stat().st_size == 0:
        raise DamagedFile(f"{path} is empty")
    try:
        with closing(sqlite3.connect(path)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise DamagedFile(f"{path} is damaged: {found}")
            # The keys are saved when the file is made.
            if not connection.execute("SELECT count(*) FROM keys").fetchone()[0]:
                raise DamagedFile(f"{path} has been emptied")
    except sqlite3.DatabaseError as error:
        raise DamagedFile(f"{path} is damaged: {error}") from error


def _read(connection: sqlite3.Connection, state: State, keys: KeyRing) -> None:
    saved = connection.execute("SELECT kid, pem FROM keys ORDER BY rowid").fetchall()
    if saved:
        keys.load([SigningKey.from_pem(kid, pem) for kid, pem in saved])
    for _, data in connection.execute("SELECT position, data FROM mailboxes ORDER BY position").fetchall():
        state.add_mailbox(_mailbox(orjson.loads(data)))
    for oid, key, data in connection.execute("SELECT mailbox, key, data FROM events ORDER BY rowid"):
        mailbox = state.mailboxes[oid]
        event = _event(mailbox, key, orjson.loads(data))
        event.calendar.events[key] = event
        if not event.is_deleted:
            mailbox.events[key] = event
    for group_id, data in connection.execute("SELECT id, data FROM groups ORDER BY rowid"):
        state.put_group(group_id, orjson.loads(data))
    for oid, transaction_id, key, at in connection.execute("SELECT mailbox, id, key, at FROM transactions"):
        state.mailboxes[oid].transactions[transaction_id] = (key, at)
    state.take_changes()


def _mailbox_bytes(mailbox: Mailbox) -> bytes:
    return orjson.dumps(
        {
            "oid": mailbox.oid,
            "address": mailbox.address,
            "display_name": mailbox.display_name,
            "time_zone": mailbox.time_zone,
            "enabled": mailbox.enabled,
            "user_type": mailbox.user_type,
            "purpose": mailbox.purpose,
            "sent": mailbox.sent,
            "inbox": mailbox.inbox,
            "categories": mailbox.categories,
            "calendars": [
                {
                    "key": calendar.key,
                    "name": calendar.name,
                    "is_default": calendar.is_default,
                    "color": calendar.color,
                    "change_key": calendar.change_key,
                    "owner_address": calendar.owner_address,
                    "loaded": sorted(calendar.loaded),
                }
                for calendar in mailbox.calendars.values()
            ],
        }
    )


def _mailbox(data: Json) -> Mailbox:
    calendars = data.pop("calendars")
    mailbox = Mailbox(**data)
    for entry in calendars:
        calendar = Calendar(mailbox, **{**entry, "loaded": set(entry["loaded"])})
        mailbox.calendars[calendar.id] = calendar
    return mailbox


def _span_json(span: Span) -> Json:
    return {
        "start": span.start.isoformat(),
        "end": span.end.isoformat(),
        "start_zone": span.start_zone,
        "end_zone": span.end_zone,
        "all_day": span.all_day,
    }


def _span(data: Json) -> Span:
    return build_span(
        datetime.fromisoformat(data["start"]),
        data["start_zone"],
        require_zone(data["start_zone"]),
        datetime.fromisoformat(data["end"]),
        data["end_zone"],
        require_zone(data["end_zone"]),
        all_day=data["all_day"],
    )


def _stamp_json(stamp: Stamp) -> list[Any]:
    return [stamp.change_key, stamp.created, stamp.modified, stamp.created_at]


def _event_bytes(event: Event) -> bytes:
    return orjson.dumps(
        {
            "calendar": None if event.is_deleted else event.calendar.id,
            "generation": event.generation,
            "move": event.move,
            "span": _span_json(event.span),
            "fields": event.fields,
            "stamp": _stamp_json(event.stamp),
            "extended": event.extended,
            "attachments": event.attachments,
            "recurrence": event.recurrence.as_json("") if event.recurrence else None,
            "overrides": {
                str(day): {
                    "fields": override.fields,
                    "span": _span_json(override.span) if override.span else None,
                    "extended": override.extended,
                    "attachments": override.attachments,
                    "stamp": _stamp_json(override.stamp),
                }
                for day, override in event.overrides.items()
            },
            "cancelled": sorted(event.cancelled),
            "transaction_id": event.transaction_id,
            "ical_uid": event.ical_uid,
            "load_key": event.load_key,
            "original_zones": event.original_zones,
        }
    )


def _event(mailbox: Mailbox, key: str, data: Json) -> Event:
    span = _span(data["span"])
    calendar = mailbox.deleted_items if data["calendar"] is None else mailbox.calendars[data["calendar"]]
    event = Event(calendar, key, span, data["fields"])
    event.move = data["move"]
    event.generation = data.get("generation", 0)
    event.stamp = Stamp(*data["stamp"])
    event.extended.update(data["extended"])
    event.attachments = data["attachments"]
    if data["recurrence"]:
        event.recurrence = parse_recurrence(data["recurrence"], span.start.date())
    for day, saved in data["overrides"].items():
        event.overrides[int(day)] = Override(
            saved["fields"],
            _span(saved["span"]) if saved["span"] else None,
            saved["extended"],
            saved["attachments"],
            Stamp(*saved["stamp"]),
        )
    event.cancelled.update(data["cancelled"])
    event.transaction_id = data["transaction_id"]
    event.ical_uid = data["ical_uid"]
    event.load_key = data["load_key"]
    event.original_zones = tuple(data["original_zones"]) if data["original_zones"] else None
    return event

"""What a system keeps in its state folder: whether it is complete, and that only we may read it.

The database, the mailboxes and the Durable state belong together. If one of them were created again, it would
meet copies, runs or orchestrations that it does not know, and archive a second time.
"""

import contextlib
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from infra.local.errors import LocalError
from infra.local.graph_simulator.state.persistence import DamagedFile
from infra.local.graph_simulator.state.persistence import check as check_mailboxes

#: What a system has made, written when it is ready.
_REGISTER = "made.json"
#: Below the state folder; PostgreSQL looks after its own, which may belong to another account.
_POSTGRES = "postgres"


class KeptState:
    """The parts of one state folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.mailboxes = folder / "graph.json"
        self.durable = folder / "functions" / "durable.sqlite3"

    @property
    def database_expected(self) -> bool:
        """Whether a database was made: it is the first part of every system."""
        return "database" in self._made() or self.mailboxes.exists() or self.durable.exists()

    @property
    def schema_expected(self) -> bool:
        """Whether the database was migrated once."""
        return "schema" in self._made()

    def check(self) -> None:
        """Raise :class:`LocalError` with one line if mailboxes or Durable state are damaged or gone."""
        made = self._made()
        for part, name, path in (
            ("mailboxes", "the file of the Graph simulator", self.mailboxes),
            ("durable", "the state of the Durable engine", self.durable),
        ):
            if not path.exists():
                if part in made:
                    raise self.refused(f"{name} is gone ({path})")
                continue
            try:
                if part == "mailboxes":
                    check_mailboxes(path)
                else:
                    _check_durable(path)
            except DamagedFile as error:
                raise self.refused(f"{name} cannot be used: {error}") from error

    def refused(self, reason: str) -> LocalError:
        """What a person is told: the reason and what to do."""
        return LocalError(
            f"{reason}; put it back from a backup, or start again: ./dev clean --state {self._folder}"
        )

    def remember(self, *, schema: bool) -> None:
        """Write down what there is; called when every part runs, with whether the database was migrated."""
        made = {"database", "schema"} if schema else {"database"}
        made |= {"mailboxes"} if self.mailboxes.exists() else set()
        made |= {"durable"} if self.durable.exists() else set()
        write_private(self._folder / _REGISTER, json.dumps(sorted(made | self._made())))

    def protect(self) -> None:
        """Let nobody but us read what is kept, what earlier versions made included.

        The state folder itself stays open when we are root: PostgreSQL runs as another account below it.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() != 0:
            self._folder.chmod(0o700)
        for entry in self._folder.iterdir():
            if entry.name == _POSTGRES or entry.is_symlink():
                continue
            for path in (entry, *(entry.rglob("*") if entry.is_dir() else ())):
                # What belongs to someone else is theirs to protect, what vanished needs no protection.
                with contextlib.suppress(PermissionError, FileNotFoundError):
                    if not path.is_symlink():
                        path.chmod(0o700 if path.is_dir() else 0o600)

    def _made(self) -> set[str]:
        try:
            return set(json.loads((self._folder / _REGISTER).read_text()))
        except FileNotFoundError:
            return set()
        except (ValueError, TypeError) as error:
            raise self.refused(f"{self._folder / _REGISTER} is damaged") from error


def write_private(path: Path, text: str) -> None:
    """Write a file that only we may read, whole or not at all."""
    temporary = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)


def _check_durable(path: Path) -> None:
    if path.stat().st_size == 0:
        raise DamagedFile(f"{path} is empty")
    try:
        with closing(sqlite3.connect(path)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise DamagedFile(f"{path} is damaged: {found}")
            connection.execute("SELECT 1 FROM instance LIMIT 1").fetchone()
    except sqlite3.DatabaseError as error:
        raise DamagedFile(f"{path} is damaged: {error}") from error

"""The folder that holds the state of one local system, and who may use it."""

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.local.errors import LocalError

#: Sockets and data that cannot live in the checkout (path too long, root-only folder) go below it.
OUTSIDE = Path("/var/tmp")  # noqa: S108 # nosec B108 - each folder is made with mode 0755, checked for its owner, never shared
_BELONGS_TO = "state-folder"


class FolderLock:
    """Holds a file lock as long as the process lives, so that a crash never leaves it behind."""

    def __init__(self, path: Path, busy: str) -> None:
        self._path = path
        self._busy = busy
        self._handle: int | None = None

    def acquire(self) -> None:
        """Take the lock or raise :class:`LocalError` with the line given for a busy one."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise LocalError(f"cannot write {self._path}: {error.strerror}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise LocalError(self._busy) from error
        self._handle = handle

    def release(self) -> None:
        """Give the lock back; does nothing when it is not held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def outside_folder(state: Path) -> Path:
    """The folder below ``/var/tmp`` that belongs to this state folder.

    Its name contains the identity of the state folder. When that is deleted, the outside folder is not used
    again, because a database must never meet mailboxes that it does not know.
    """
    return OUTSIDE / f"{_outside_prefix(state)}{identity(state)}"


def identity(state: Path) -> str:
    """Eight hexadecimal digits that belong to this state folder until it is deleted."""
    file = state / "identity"
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        made = secrets.token_hex(4)
        state.mkdir(parents=True, exist_ok=True)
        file.write_text(made)
        return made


def make_outside_folder(state: Path) -> Path:
    """Make that folder, world-readable and ours; raises :class:`LocalError` if someone else owns the name."""
    folder = outside_folder(state)
    _sweep(keep=folder)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o755)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
        raise LocalError(f"{folder} belongs to someone else; delete it or use another --state")
    folder.chmod(0o755)
    (folder / _BELONGS_TO).write_text(str(state.resolve()))
    return folder


def delete_state(state: Path) -> bool:
    """Delete the state folder and what belongs to it outside; says whether there was anything."""
    found = state.exists()
    for part in (state, state / "postgres"):
        for folder in OUTSIDE.glob(f"{_outside_prefix(part)}*"):
            if folder.lstat().st_uid == os.getuid():
                shutil.rmtree(folder, ignore_errors=True)
                found = True
    shutil.rmtree(state, ignore_errors=True)
    return found


def _sweep(keep: Path) -> None:
    """Delete our folders whose state folder was deleted or replaced, by any means."""
    for folder in OUTSIDE.glob("admin-assistant-*-*"):
        with contextlib.suppress(OSError):
            state = Path((folder / _BELONGS_TO).read_text())
            current = (state / "identity").exists() and outside_folder(state) == folder
            if folder != keep and not current and folder.lstat().st_uid == os.getuid():
                shutil.rmtree(folder, ignore_errors=True)


def _outside_prefix(state: Path) -> str:
    key = hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:12]
    return f"admin-assistant-{key}-"

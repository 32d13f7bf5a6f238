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
OUTSIDE = Path("/var/tmp")  # noqa: S108 - each folder is made with mode 0755, checked for its owner, never shared


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

    Its name carries an identity kept in the state folder: when that is deleted, what lies outside is not
    taken up again, since a database must never meet mailboxes it does not know.
    """
    identity_file = state / "identity"
    try:
        identity = identity_file.read_text().strip()
    except FileNotFoundError:
        identity = secrets.token_hex(4)
        state.mkdir(parents=True, exist_ok=True)
        identity_file.write_text(identity)
    return OUTSIDE / f"{_outside_prefix(state)}{identity}"


def make_outside_folder(state: Path) -> Path:
    """Make that folder, world-readable and ours; raises :class:`LocalError` if someone else owns the name."""
    folder = outside_folder(state)
    for former in OUTSIDE.glob(f"{_outside_prefix(state)}*"):
        if former != folder and former.lstat().st_uid == os.getuid():
            shutil.rmtree(former, ignore_errors=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o755)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
        raise LocalError(f"{folder} belongs to someone else; delete it or use another --state")
    folder.chmod(0o755)
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


def _outside_prefix(state: Path) -> str:
    key = hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:12]
    return f"admin-assistant-{key}-"

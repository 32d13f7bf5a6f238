"""What every process of the host does first: take its port and its state folder for itself alone."""

import contextlib
import fcntl
import os
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from infra.local.functions_host.errors import StartupError

_OPEN_FILES = 65_536


def allow_many_connections() -> None:
    """Raises the soft limit of open files, often 1024, as far as the hard one allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextlib.contextmanager
def bound(port: int, inherited: int | None = None) -> Iterator[socket.socket]:
    """A socket listening on 127.0.0.1; who connects while the app loads is answered when it has.

    `inherited` is a file descriptor of such a socket.
    """
    if inherited is not None:
        with socket.socket(fileno=inherited) as ours:
            ours.set_inheritable(False)
            yield ours
        return
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        # Two sockets may be bound to one port as long as none listens: only this proves that it is ours.
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise StartupError(
            f"port {port} on 127.0.0.1 cannot be used ({error.strerror}); choose another with --port"
        ) from None
    try:
        yield listener
    finally:
        listener.close()


@contextlib.contextmanager
def locked(path: Path, patience: float) -> Iterator[None]:
    """Holds a lock file for this process alone; the system lets go of it however the process ends."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file: IO[str] = path.open("a+")
    except OSError as error:
        raise StartupError(f"the state folder {path.parent} cannot be used: {error.strerror}") from None
    with file:
        _acquire(file, path.parent, patience)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _acquire(file: IO[str], state: Path, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                reason = f"the state folder {state} is used by another host (process {holder})"
                raise StartupError(reason) from None
            time.sleep(0.05)
        else:
            return

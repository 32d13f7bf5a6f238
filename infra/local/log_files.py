"""Logs of the local system, bounded in size and number while the parts keep writing to them."""

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

#: A log is rotated above this size, and this many former ones are kept.
MAX_BYTES = 10_000_000
KEPT = 3
_LOOK_SECONDS = 5.0
_LOGGER = logging.getLogger(__name__)


def rotate(path: Path, max_bytes: int = MAX_BYTES, kept: int = KEPT) -> bool:
    """Move the content of a log that has grown too long to ``path.1``, the former ones one further.

    The file itself is emptied, since a process may have it open for appending; a line written at that very
    moment may be lost. Says whether it was rotated.
    """
    try:
        if path.stat().st_size <= max_bytes:
            return False
        for number in range(kept - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                _numbered(path, number).replace(_numbered(path, number + 1))
        shutil.copyfile(path, _numbered(path, 1))
        _numbered(path, 1).chmod(0o600)
        with path.open("r+b") as file:
            file.truncate(0)
    except FileNotFoundError:
        return False
    return True


async def keep_bounded(
    paths: Callable[[], Iterable[Path]],
    max_bytes: int = MAX_BYTES,
    kept: int = KEPT,
    look_seconds: float = _LOOK_SECONDS,
) -> None:
    """Rotate the logs that ``paths`` names, whenever they have grown too long, until cancelled."""
    while True:
        for path in list(paths()):
            try:
                await asyncio.to_thread(rotate, path, max_bytes, kept)
            except OSError as error:
                _LOGGER.warning("cannot rotate %s: %s", path, error)
        await asyncio.sleep(look_seconds)


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")

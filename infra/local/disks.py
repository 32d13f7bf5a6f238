"""Whether there is room to write."""

import errno
import shutil
import tempfile
from pathlib import Path

MEGABYTE = 1024 * 1024
#: What a running system needs: PostgreSQL writes segments of 16 MB.
ROOM_TO_RUN = 32 * MEGABYTE
#: What a new one needs: an empty database of 40 MB, the demonstration tenant, logs.
ROOM_TO_START = 200 * MEGABYTE

_FULL = (errno.ENOSPC, errno.EDQUOT)


def trouble(folder: Path, needed: int = ROOM_TO_RUN) -> str | None:
    """What is wrong with the disk of a folder: too little room in bytes, or no right to write; else None.

    A folder that does not exist yet is as good as the nearest one that does.
    """
    there = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        free = shutil.disk_usage(there).free
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(bytes(4096))
    except OSError as error:
        if error.errno not in _FULL:
            return f"cannot write in {there}: {error.strerror}"
        # A quota may be used up on a disk that has room.
        free = 0
    if free >= needed:
        return None
    return f"the disk of {there} is full: {free // MEGABYTE} MB are free, {needed // MEGABYTE} MB are needed"

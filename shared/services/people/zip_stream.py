"""Writes a zip archive in pieces. Only the current piece is in memory."""

import zipfile
from datetime import UTC, datetime
from typing import IO, Final

_FIRST: Final = (1980, 1, 1, 0, 0, 0)


class _Sink:
    """Takes the archive writer's output. It cannot seek, so the writer never goes back."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        self._waiting += data
        return len(data)

    def flush(self) -> None:
        return

    def close(self) -> None:
        return

    def take(self) -> bytes:
        """The output since the last call."""
        taken = bytes(self._waiting)
        self._waiting.clear()
        return taken


class ZipStream:
    """``begin``, ``write`` and ``end`` each file, then ``close``. ``take`` returns what is ready.

    ``instant`` is the time of every file in it.
    """

    def __init__(self, instant: datetime) -> None:
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED)
        moment = instant.astimezone(UTC)
        self._time = max(moment.timetuple()[:6], _FIRST)
        self._open: IO[bytes] | None = None

    def begin(self, name: str) -> None:
        """Start a file in the archive."""
        info = zipfile.ZipInfo(name, self._time)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        # Its size is not known yet.
        self._open = self._zip.open(info, "w", force_zip64=True)

    def write(self, data: bytes) -> None:
        """Append to the file. Raises RuntimeError if no file is open."""
        if self._open is None:
            raise RuntimeError("no file is begun")
        self._open.write(data)

    def end(self) -> None:
        """End the file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def close(self) -> None:
        """Write the directory of the archive. A second call does nothing."""
        self.end()
        self._zip.close()

    def take(self) -> bytes:
        """The bytes that are ready."""
        return self._sink.take()

"""A folder as a zip of the same bytes each time, by ``python -m infra.local.azure.packing FOLDER ARCHIVE``.

libdeflate's level 12 makes it 3 % smaller than zlib does. The compressor is installed for the packing
alone, by a lock of its own (``infra/azure/packing.lock``), because another version gives other bytes.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED

from repro_zipfile import ReproducibleZipFile

_LEVEL = 12


class _Whole:
    """Compresses a file at its end, in place of the stream that ``zipfile`` makes."""

    def __init__(self) -> None:
        self._given: list[bytes] = []

    def compress(self, data: bytes) -> bytes:
        self._given.append(bytes(data))
        return b""

    def flush(self) -> bytes:
        return bytes(import_module("deflate").deflate_compress(b"".join(self._given), _LEVEL))


class _Archive(ReproducibleZipFile):
    def open(self, name: Any, mode: Any = "r", *arguments: Any, **options: Any) -> IO[bytes]:
        handle: Any = super().open(name, mode, *arguments, **options)
        if mode == "w":
            handle._compressor = _Whole()
        return handle  # type: ignore[no-any-return]


def pack(folder: Path, archive: Path) -> None:
    """Write every file below ``folder``, in the order of their names."""
    archive.unlink(missing_ok=True)
    with _Archive(archive, "w", compression=ZIP_DEFLATED) as packed:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            packed.write(path, path.relative_to(folder).as_posix())


if __name__ == "__main__":
    pack(Path(sys.argv[1]), Path(sys.argv[2]))

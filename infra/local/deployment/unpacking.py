"""A package as files."""

import shutil
from pathlib import Path
from zipfile import ZipFile


def unpack(archive: Path, folder: Path) -> None:
    """Put a package's files in the place of what was in the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with ZipFile(archive) as packed:
        packed.extractall(folder)

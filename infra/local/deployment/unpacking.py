"""A package as files, and how the local host runs from them alone."""

import os
import shutil
from pathlib import Path
from zipfile import ZipFile

from infra.local.azure.bytecode import DEPENDENCIES
from infra.local.stack import ROOT


def unpack(archive: Path, folder: Path) -> None:
    """Put a package's files in the place of what was in the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with ZipFile(archive) as packed:
        packed.extractall(folder)


def environment_of(app: Path, host: Path) -> dict[str, str]:
    """Variables with which the local host takes app and dependencies from an unpacked package.

    ``host`` is a folder of its own, from which the host itself is imported, and nothing else of the checkout.
    """
    host.mkdir(parents=True, exist_ok=True)
    link = host / "infra"
    if not link.is_symlink():
        link.symlink_to(ROOT / "infra", target_is_directory=True)
    path = [app, app / DEPENDENCIES, host]
    return {"PYTHONPATH": os.pathsep.join(map(str, path)), "PYTHONSAFEPATH": "1"}

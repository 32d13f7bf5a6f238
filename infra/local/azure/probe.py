"""Whether a package has all that its app imports: tried by a Python that sees nothing but the package."""

import ast
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from infra.local.azure.bytecode import DEPENDENCIES
from infra.local.errors import LocalError

_SECONDS = 300
_SCRIPT = """
import importlib, pkgutil, sys, warnings
warnings.simplefilter("ignore")
import function_app, shared
names = [each.name for each in pkgutil.walk_packages(shared.__path__, "shared.")]
failed = []
for name in [*names, *sys.argv[1:]]:
    if name.startswith("shared.database.migrations."):
        continue
    try:
        importlib.import_module(name)
    except Exception as error:
        failed.append(f"{name}: {type(error).__name__}: {error}")
sys.exit("; ".join(failed[:5]) or 0)
"""
_DESCRIPTION = """
import function_app
from shared.settings import Settings
from shared.triggers.http.docs import described
told = described(Settings(database_url="postgresql://x@y/z", version="0", commit=""))
print(told if isinstance(told, str) else told.decode())
"""


def imported(sources: Iterable[Path]) -> set[str]:
    """Every module that an import statement names, inside functions too."""
    found = set()
    for path in sources:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
    return found


def check(folder: Path, names: Iterable[str]) -> bool:
    """Import the app's modules, and those of ``names`` that the package has, from the package alone.

    Returns whether that could be tried: extension modules are for Linux on x86-64. Raises LocalError that
    names what does not import.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return False
    packages = folder / DEPENDENCIES
    there = sorted(name for name in names if any(packages.glob(f"{name.partition('.')[0]}*")))
    # Without -S the packages of the environment that builds would be seen.
    alone = [sys.executable, "-S", "-P", "-c"]
    path = f"{folder}{os.pathsep}{packages}"
    if failure := _run([*alone, _SCRIPT, *there], folder, path)[1]:
        raise LocalError(f"the package lacks what the app imports: {failure}")
    return True


def check_description(folder: Path, root: Path) -> None:
    """Raise LocalError if the package describes the API otherwise than its checkout: a docstring was lost."""
    path = f"{folder}{os.pathsep}{folder / DEPENDENCIES}"
    packed, failure = _run([sys.executable, "-S", "-P", "-c", _DESCRIPTION], folder, path)
    ours, other_failure = _run([sys.executable, "-P", "-c", _DESCRIPTION], root, str(root))
    if failure or other_failure:
        raise LocalError(f"the API cannot be described: {failure or other_failure}")
    if packed != ours:
        raise LocalError("the package describes the API otherwise than its checkout")


def _run(command: list[str], folder: Path, path: str) -> tuple[str, str]:
    """What it said, and the last line of its failure; empty if it succeeded."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    env |= {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    if done.returncode == 0:
        return done.stdout, ""
    said = done.stderr.strip().splitlines()
    return done.stdout, said[-1] if said else f"status {done.returncode}"

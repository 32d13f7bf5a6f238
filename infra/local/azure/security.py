"""Static checks for leaks and abuse: bandit over our code, detect-secrets over all files.

Every finding is fixed or explained. Those of bandit are explained at their line (``nosec``, ruff's ``noqa``)
and in ``[tool.bandit]`` of pyproject.toml. Those of detect-secrets are explained in
``infra/azure/explained-secrets.json``: each by its hash, or by ``*`` all of a generated file.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.local.errors import LocalError
from infra.local.stack import ROOT

EXPLAINED = ROOT / "infra" / "azure" / "explained-secrets.json"
_SECONDS = 300
#: In place of a hash: every finding of a file that is generated, whose hashes change with each generation.
_WHOLE_FILE = "*"
#: Microsoft's published types, hashes of packages, and the explanations themselves.
_LEFT_OUT = (
    "infra/azure/resource-types/",
    "infra/azure/requirements.lock",
    "infra/azure/packing.lock",
    "infra/azure/explained-secrets.json",
)


def bandit(root: Path = ROOT, folders: Sequence[str] = ("shared", "infra/local", "function_app.py")) -> str:
    """What bandit finds, empty if nothing; the configuration is that of pyproject.toml."""
    command = ["bandit", "--quiet", "--configfile", str(ROOT / "pyproject.toml"), "--recursive"]
    template = ["--format", "custom", "--msg-template", "{relpath}:{line}: {test_id} {msg}"]
    done = _run([*command, *template, *(str(root / folder) for folder in folders)], root)
    return done.stdout.strip() if done.returncode else ""


def tracked(root: Path = ROOT, below: str = ".") -> list[str]:
    """The files of the repository that are looked through for secrets."""
    done = subprocess.run(
        ["git", "ls-files", "-z", below],  # nosec B607 - the developer's own git
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
        timeout=_SECONDS,
    )
    return [name for name in done.stdout.split("\0") if name and not name.startswith(_LEFT_OUT)]


def secrets(files: Sequence[str], root: Path = ROOT, explained: Path = EXPLAINED) -> list[str]:
    """Each finding that nobody explained, as ``path:line: kind``."""
    done = _run(["detect-secrets", "scan", *files], root)
    if done.returncode != 0:
        raise LocalError(f"detect-secrets failed: {done.stderr.strip()}")
    found: Mapping[str, list[dict[str, Any]]] = json.loads(done.stdout)["results"]
    known: Mapping[str, Mapping[str, str]] = json.loads(explained.read_text(encoding="utf-8"))
    return [
        f"{path}:{each['line_number']}: {each['type']}"
        for path, entries in found.items()
        for each in entries
        if not (known.get(path, {}).get(_WHOLE_FILE) or known.get(path, {}).get(each["hashed_secret"]))
    ]


def checks() -> list[tuple[str, int, str]]:
    """Name, status and output of both."""
    found = bandit()
    hidden = "\n".join(secrets(tracked()))
    return [("bandit", int(bool(found)), found), ("detect-secrets", int(bool(hidden)), hidden)]


def _run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    tool = str(Path(sys.executable).parent / command[0])
    return subprocess.run(
        [tool, *command[1:]], cwd=folder, capture_output=True, text=True, check=False, timeout=_SECONDS
    )

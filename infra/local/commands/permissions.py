"""``./dev permissions``: the table of operations, roles and ownership that the app enforces."""

import subprocess
import sys
from collections.abc import Sequence

from infra.local import environment
from infra.local.stack import ROOT


def run(arguments: Sequence[str]) -> int:
    """Print it; the app itself says what it is."""
    command = [sys.executable, "-m", "shared.triggers.http.permissions", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment.cleaned(), check=False).returncode

"""``./dev bench``: the benchmarks, each of which starts the system it measures."""

import subprocess
import sys
from collections.abc import Sequence

from infra.local import environment
from infra.local.stack import ROOT


def run(arguments: Sequence[str]) -> int:
    """Run ``python -m tests.benchmarks`` with these arguments; returns its exit status."""
    env = environment.cleaned()
    return subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *arguments], cwd=ROOT, env=env, check=False
    ).returncode

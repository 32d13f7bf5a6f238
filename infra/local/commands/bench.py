"""``./dev bench``: the benchmarks, each of which starts the system it measures."""

from collections.abc import Sequence

from infra.local import environment, interrupts
from infra.local.stack import ROOT


def run(arguments: Sequence[str]) -> int:
    """Run ``python -m tests.benchmarks`` with these arguments; returns its exit status."""
    command = interrupts.python("tests.benchmarks", *arguments)
    return interrupts.run(command, cwd=ROOT, env=environment.cleaned())

"""``./dev simulate``: seeded worlds, each with a database of its own."""

from collections.abc import Sequence

from infra.local import environment, interrupts
from infra.local.stack import ROOT


def run(arguments: Sequence[str]) -> int:
    """Run ``python -m tests.simulation`` with these arguments; returns its exit status."""
    # The order of sets is part of what a seed means.
    env = environment.cleaned() | {"PYTHONHASHSEED": "0"}
    return interrupts.run(interrupts.python("tests.simulation", *arguments), cwd=ROOT, env=env)

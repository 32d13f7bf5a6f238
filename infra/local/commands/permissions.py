"""``./dev permissions``: the table of operations, roles and ownership that the app enforces."""

from collections.abc import Sequence

from infra.local import environment, interrupts
from infra.local.stack import ROOT


def run(arguments: Sequence[str]) -> int:
    """Print it; the app itself says what it is."""
    command = interrupts.python("shared.triggers.http.authorisation", *arguments)
    return interrupts.run(command, cwd=ROOT, env=environment.cleaned())

"""``./dev host``: the Functions host on the app in the current folder."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from infra.local import interrupts


def run(arguments: Sequence[str]) -> NoReturn:
    """Become the Functions host; ``start`` may be left out."""
    given = list(arguments)
    if given[:1] != ["start"] and not {"-h", "--help"} & set(given):
        given.insert(0, "start")
    command = interrupts.python("infra.local.functions_host", *given)
    command.insert(1, "-P")
    with interrupts.held():
        os.execv(sys.executable, command)  # noqa: S606 # nosec B606 - our own interpreter and module

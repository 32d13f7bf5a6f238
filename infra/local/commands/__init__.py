"""The commands of ``./dev``: one module for each group of them."""

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from infra.local import interrupts
from infra.local.errors import LocalError

#: The text of ``./dev help``. The ``dev`` script prints it itself: help needs no installation.
USAGE = Path(__file__).with_name("usage.txt")

#: Command and the module that has its ``run(arguments) -> exit status``, imported only when asked for.
_COMMANDS = {
    "run": "infra.local.commands.run",
    "test": "infra.local.commands.check",
    "accept": "infra.local.commands.accept",
    "bench": "infra.local.commands.bench",
    "simulate": "infra.local.commands.simulate",
    "token": "infra.local.commands.token",  # nosec B105 - a module
    "db": "infra.local.commands.database",
    "host": "infra.local.commands.host",
    "fuzz": "infra.local.commands.fuzz",
    "azure": "infra.local.commands.azure",
    "package": "infra.local.commands.package",
    "check-infra": "infra.local.commands.check_infra",
    "uat": "infra.local.commands.uat",
    "permissions": "infra.local.commands.permissions",
    "clean": "infra.local.commands.clean",
}


def main(arguments: Sequence[str]) -> int:
    """Run one command. Returns its exit status: 2 if unknown, 1 with one line for what a person can fix."""
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        print(USAGE.read_text(encoding="utf-8"), end="")
        return 0
    module = _COMMANDS.get(arguments[0])
    if module is None:
        print(f"dev: unknown command {arguments[0]!r}; ./dev help lists them", file=sys.stderr)
        return 2
    command: Callable[[Sequence[str]], int | Awaitable[int]] = importlib.import_module(module).run
    try:
        outcome = command(arguments[1:])
        return outcome if isinstance(outcome, int) else asyncio.run(interrupts.ended_by_signals(outcome))
    except LocalError as error:
        print(f"dev: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        # A full disk or a folder without permission, found by any part.
        print(
            f"dev: {error.strerror or error}{f': {error.filename}' if error.filename else ''}",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        return interrupts.INTERRUPTED

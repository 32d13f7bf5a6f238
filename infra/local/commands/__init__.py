"""The commands of ``./dev``: one module for each group of them."""

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable, Sequence

from infra.local.errors import LocalError

_USAGE = """\
usage: ./dev COMMAND [options]          ./dev COMMAND --help says more

  run [--once] [--json] [--port 7071] [--scale small|large] [--calendar FILE.ics]…
                         start everything, seed the demonstration tenant, archive, report; serve until Ctrl-C
  test [--fast] [pytest arguments]
                         lint, format, types, tests with coverage; arguments: pytest alone
  accept [--only ID] [--quick] [--json]
                         the acceptance points: id, what, measured, bound, ok
  bench [WHAT] [--json]  measure
  simulate [--seeds N] [--first N] [--processes N]
                         seeded worlds with faults at every boundary; a failing seed prints how to replay it
  token --user ADDRESS --role ROLE
                         an access token of the running system
  db upgrade             bring the database to the newest migration
  host [options]         serve the Functions app in the current folder, as `func start` does
  fuzz [--examples N] [--seed N]
                         arbitrary requests against the description of the API
  azure up [--environment dev|staging|prod] [--size personal|firm]
                         package, then make or change everything in Azure
  azure deploy PACKAGE, azure rollback [--to VERSION]
                         one package to one environment, validated, or back again
  package                the zip that is deployed, with its list of parts and licences
  check-infra            the infrastructure for Azure, workflows, migrations, bandit, secrets; without Azure
  uat --url URL          20 scenarios of people against a running system; tokens from the environment
  permissions [--json]   who may call which operation of the API, and on whose data
  clean                  delete the state of the local system
"""

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
    """Run one command; returns its exit status: 2 if unknown, 1 with one line for what a person can mend."""
    if arguments[:1] in (["--help"], ["-h"], ["help"]):
        print(_USAGE, end="")
        return 0
    module = _COMMANDS.get(arguments[0]) if arguments else None
    if module is None:
        if arguments:
            print(f"dev: unknown command {arguments[0]!r}", file=sys.stderr)
        print(_USAGE, end="", file=sys.stderr)
        return 2
    command: Callable[[Sequence[str]], int | Awaitable[int]] = importlib.import_module(module).run
    try:
        outcome = command(arguments[1:])
        return outcome if isinstance(outcome, int) else asyncio.run(_awaited(outcome))
    except LocalError as error:
        print(f"dev: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        # A full disk or a folder without permission, wherever it shows first.
        print(
            f"dev: {error.strerror or error}{f': {error.filename}' if error.filename else ''}",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        return 130


async def _awaited(outcome: Awaitable[int]) -> int:
    return await outcome

"""``./dev azure``: from this checkout to Azure."""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from infra.local.errors import LocalError

if TYPE_CHECKING:
    from infra.local.deployment.azure_target import AzureTarget

_NEEDED = ("AZURE_LOCATION", "ADMIN_ASSISTANT_CLIENT_ID", "ADMIN_ASSISTANT_ALERT_EMAILS")


def run(arguments: Sequence[str]) -> int:
    """Package and ``azd up``; or set the administrator of the database, which azd calls itself."""
    parser = argparse.ArgumentParser(prog="./dev azure", allow_abbrev=False)
    commands = parser.add_subparsers(dest="what", required=True)
    up = commands.add_parser("up", help="package, then make or change everything in Azure (azd up)")
    up.add_argument("--environment", choices=("dev", "staging", "prod"), default="dev")
    up.add_argument("--size", choices=("personal", "firm"), default="personal")
    commands.add_parser("administrator", help="set the administrator of the database server")
    deploy = commands.add_parser("deploy", help="deploy, validate and watch; back automatically")
    deploy.add_argument("package", type=Path)
    back = commands.add_parser("rollback", help="go back to a former deployment")
    back.add_argument("--to", metavar="VERSION|COMMIT", help="else the one before")
    for each in (deploy, back):
        each.add_argument("--environment", default="prod", help="name in the record of deployments")
    given = parser.parse_args(arguments)
    if given.what == "deploy":
        return asyncio.run(_deploy(given.environment, given.package))
    if given.what == "rollback":
        return asyncio.run(_rollback(given.environment, given.to))
    if given.what == "administrator":
        return _administrator()
    return _up(given.environment, given.size)


def _up(environment: str, size: str) -> int:
    from infra.local.azure import tools

    def azd(command: Sequence[str]) -> str:
        return tools.run(command)

    known = {**tools.values(azd), **os.environ}
    settings = settings_of(known, environment, size, datetime.now(UTC))
    from infra.local.commands import package

    status = package.run([])
    if status != 0:
        return status
    for name, value in settings.items():
        tools.run(["azd", "env", "set", name, value])
    tools.run(["azd", "up", "--no-prompt"], seconds=7200, shown=True)
    return 0


def settings_of(known: Mapping[str, str], environment: str, size: str, now: datetime) -> dict[str, str]:
    """What the parameter file reads from the azd environment.

    Raises LocalError for what only a person knows and has not set.
    """
    missing = [name for name in _NEEDED if not known.get(name)]
    if missing:
        raise LocalError(f"set first, with `azd env set NAME VALUE`: {', '.join(missing)}")
    settings = {
        "ADMIN_ASSISTANT_AZURE_ENVIRONMENT": environment,
        "ADMIN_ASSISTANT_AZURE_SIZE": size,
    }
    # A budget keeps the month it began with: another on a later run would be refused.
    if known.get("ADMIN_ASSISTANT_BUDGET", "0") != "0" and not known.get("ADMIN_ASSISTANT_BUDGET_START"):
        settings["ADMIN_ASSISTANT_BUDGET_START"] = f"{now:%Y-%m}-01"
    return settings


def _target(name: str) -> "AzureTarget":
    from infra.local.azure import tools
    from infra.local.deployment.azure_target import AzureTarget

    def runner(command: Sequence[str]) -> str:
        return tools.run(command)

    # A workflow gives them as variables; a person has them in the azd environment.
    known = os.environ if os.environ.get("FUNCTION_APP_NAME") else tools.values(runner)
    return AzureTarget(name, known, runner)


async def _deploy(environment: str, package: Path) -> int:
    from infra.local.deployment.artefacts import Artefact
    from infra.local.deployment.steps import Deployment

    artefact = Artefact.read(package)
    async with _target(environment) as target:
        await Deployment(_say).run(artefact, target)
    return 0


async def _rollback(environment: str, wanted: str | None) -> int:
    from infra.local.deployment.steps import Deployment

    async with _target(environment) as target:
        artefact = await Deployment(_say).rollback(target, wanted)
    _say(f"{environment} runs {artefact.name}")
    return 0


def _say(what: str) -> None:
    print(f"dev: {what}", file=sys.stderr, flush=True)


def _administrator() -> int:
    import json

    from infra.local.azure import administrator, tools

    def runner(command: Sequence[str]) -> str:
        return tools.run(command)

    values = tools.values(runner)
    if name := values.get("ADMIN_ASSISTANT_DATABASE_ADMINISTRATOR_NAME"):
        principal = administrator.Principal(
            values["ADMIN_ASSISTANT_DATABASE_ADMINISTRATOR_ID"],
            name,
            values.get("ADMIN_ASSISTANT_DATABASE_ADMINISTRATOR_TYPE", "Group"),
        )
    else:
        me = json.loads(runner(["az", "ad", "signed-in-user", "show"]))
        principal = administrator.Principal(me["id"], me["userPrincipalName"], "User")
    administrator.ensure(runner, values["AZURE_RESOURCE_GROUP"], values["DATABASE_SERVER_NAME"], principal)
    print(f"{principal.name} administers {values['DATABASE_SERVER_NAME']}", file=sys.stderr)
    return 0

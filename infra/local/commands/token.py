"""``./dev token``: an access token of the running system's Entra."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from infra.local import identities, running_system
from infra.local.stack import ROOT


def run(arguments: Sequence[str]) -> int:
    """Print a token for our API; LocalError where no system runs, or it knows no such person."""
    parser = argparse.ArgumentParser(prog="./dev token", allow_abbrev=False)
    parser.add_argument(
        "--user", default=identities.ADMIN_ADDRESS, help=f"address ({identities.ADMIN_ADDRESS})"
    )
    parser.add_argument(
        "--role", action="append", choices=["User", "Admin", "Auditor"], help="may be repeated (User)"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--state", type=Path, help="state folder of the running system (.local)")
    where.add_argument("--port", type=int, help="or the port of its Functions host")
    given = parser.parse_args(arguments)
    port = (
        given.port + 1
        if given.port is not None
        else running_system.simulator_port((given.state or ROOT / ".local").resolve())
    )
    print(running_system.token(port, given.user, given.role or ["User"]))
    return 0

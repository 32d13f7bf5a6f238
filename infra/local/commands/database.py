"""``./dev db upgrade``: bring the database to the newest migration without starting the rest."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.local.postgres import OWNER, Postgres
from infra.local.schema import migrate
from infra.local.stack import ROOT
from infra.local.state_folder import FolderLock


async def run(arguments: Sequence[str]) -> int:
    """Start PostgreSQL, migrate as ``app_owner``, stop it."""
    parser = argparse.ArgumentParser(prog="./dev db", allow_abbrev=False)
    parser.add_argument("action", choices=["upgrade"])
    parser.add_argument("--state", type=Path, default=ROOT / ".local", help="state folder (.local)")
    state: Path = parser.parse_args(arguments).state.resolve()
    with FolderLock(state / "lock", f"a system runs on {state}, its database is migrated already"):
        async with Postgres(state / "postgres", log=state / "logs" / "postgres.log") as postgres:
            await migrate(postgres.url(OWNER), state / "logs")
    print("the database is up to date", file=sys.stderr)
    return 0

"""``./dev uat``: twenty scenarios of people, against a running system."""

import argparse
import os
import sys
from collections.abc import Sequence

import httpx

from infra.local.errors import LocalError

#: Every user of a machine can read the arguments of its processes, so tokens are environment variables.
PERSON, ADMIN = "UAT_USER_TOKEN", "UAT_ADMIN_TOKEN"


async def run(arguments: Sequence[str]) -> int:
    """Exit status 0 only if each scenario passed. Raises LocalError without tokens."""
    about = f"tokens of a person with an archive and of an Admin are read from {PERSON} and {ADMIN}"
    parser = argparse.ArgumentParser(prog="./dev uat", allow_abbrev=False, epilog=about)
    parser.add_argument("--url", required=True, help="root of the app, as https://NAME.azurewebsites.net")
    given = parser.parse_args(arguments)
    tokens = [os.environ.get(name, "") for name in (PERSON, ADMIN)]
    if not all(tokens):
        raise LocalError(f"set {PERSON} and {ADMIN}: access tokens of a person with an archive, of an Admin")
    from infra.local.scenarios import Scenarios

    async with httpx.AsyncClient(timeout=60) as client:
        outcomes = await Scenarios(client, given.url, tokens[0], tokens[1]).all()
    for number, outcome in enumerate(outcomes, 1):
        print(f"{number:2} {'ok    ' if not outcome.problem else 'FAILED'} {outcome.name}")
        if outcome.problem:
            print(f"          {outcome.problem}")
    failed = sum(1 for outcome in outcomes if outcome.problem)
    print(f"{len(outcomes)} scenarios, {failed} failed", file=sys.stderr)
    return 1 if failed else 0

"""``./dev fuzz``: arbitrary requests against the description of the API, as many as are asked for."""

import argparse
import os
import secrets
import sys
from collections.abc import Sequence

from infra.local import environment, interrupts
from infra.local.stack import ROOT


def run(arguments: Sequence[str]) -> int:
    """Run the contract test with more requests, and other ones each time."""
    parser = argparse.ArgumentParser(prog="./dev fuzz", allow_abbrev=False)
    parser.add_argument("--examples", type=int, default=100, help="requests of each operation (100)")
    parser.add_argument("--role", choices=("Admin", "User", "Auditor"), default="Admin", help="who calls")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="to repeat a run")
    given = parser.parse_args(arguments)
    print(f"dev: seed {given.seed}", file=sys.stderr, flush=True)
    env = environment.cleaned() | {
        "CONTRACT_EXAMPLES": str(given.examples),
        "CONTRACT_RANDOM": str(given.seed),
        "CONTRACT_ROLE": given.role,
    }
    if "DATABASE_URL" in os.environ:
        env["DATABASE_URL"] = os.environ["DATABASE_URL"]
    command = interrupts.python("pytest", "-q", "-s", "tests/security/test_contract.py")
    return interrupts.run(command, cwd=ROOT, env=env)

"""``./dev test``: lint, format, types, then the tests with coverage."""

import os
import subprocess
import sys
from collections.abc import Sequence

from infra.local import environment
from infra.local.stack import ROOT

_CHECKS = (
    ("lint", ["-m", "ruff", "check", "."]),
    ("format", ["-m", "ruff", "format", "--check", "--quiet", "."]),
    ("types", ["-m", "mypy"]),
)
_COVERAGE = ["--cov=shared", "--cov-report=term", "--cov-fail-under=90"]


def run(arguments: Sequence[str]) -> int:
    """Run every check and then the tests; returns 0 only if all pass.

    ``--fast`` leaves out the tests marked slow, and coverage. With pytest arguments only pytest runs.
    """
    given = list(arguments)
    fast = "--fast" in given
    if fast:
        given.remove("--fast")
    failed = [] if given else [name for name, command in _CHECKS if _run(name, command) != 0]
    if failed:
        print(f"dev: {', '.join(failed)} failed", file=sys.stderr)
        return 1
    status = _run("tests", ["-m", "pytest", *_pytest_arguments(given, fast=fast)])
    if status != 0:
        print("dev: tests failed", file=sys.stderr)
    return status


def _pytest_arguments(given: Sequence[str], *, fast: bool) -> list[str]:
    slow = ["-m", "not slow"] if fast else []
    if given:
        return [*given, *slow]
    # The acceptance points are `./dev accept`; a checkout without them has no folder to leave out.
    arguments = ["-n", "2", "--ignore=tests/acceptance", *slow]
    return arguments if fast else [*arguments, *_COVERAGE]


def _run(name: str, command: Sequence[str]) -> int:
    print(f"dev: {name}", file=sys.stderr, flush=True)
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment.cleaned() | _given_database(), check=False
    ).returncode


def _given_database() -> dict[str, str]:
    # Tests that need a database use the server of DATABASE_URL when one is named, as ./dev run does.
    return {name: os.environ[name] for name in ("DATABASE_URL", "DATABASE_OWNER_URL") if name in os.environ}

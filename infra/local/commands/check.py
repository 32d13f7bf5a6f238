"""``./dev test``: lint, format, types, then the tests with coverage."""

import os
import sys
from collections.abc import Sequence

from infra.local import environment, interrupts
from infra.local.stack import ROOT

_CHECKS = (
    ("lint", ["ruff", "check", "."]),
    ("format", ["ruff", "format", "--check", "--quiet", "."]),
    ("types", ["mypy"]),
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
    failed = []
    for name, command in [] if given else _CHECKS:
        status = _run(name, command)
        if status == interrupts.INTERRUPTED:
            return status
        if status != 0:
            failed.append(name)
    if failed:
        print(f"dev: {', '.join(failed)} failed", file=sys.stderr)
        return 1
    status = _run("tests", ["pytest", *_pytest_arguments(given, fast=fast)])
    if status not in (0, interrupts.INTERRUPTED):
        print("dev: tests failed", file=sys.stderr)
    return status


def _pytest_arguments(given: Sequence[str], *, fast: bool) -> list[str]:
    slow = ["-m", "not slow"] if fast else []
    if given:
        return [*given, *slow]
    # The acceptance points are `./dev accept`; a checkout without them has no folder to leave out.
    # Some tests take a hundred times as long as others. An idle worker takes tests from a busy one.
    # Two cores are busier with three: many tests wait for processes that they start.
    arguments = ["-n", "3", "--dist", "worksteal", "--ignore=tests/acceptance", *slow]
    return arguments if fast else [*arguments, *_COVERAGE]


def _run(name: str, command: Sequence[str]) -> int:
    print(f"dev: {name}", file=sys.stderr, flush=True)
    return interrupts.run(
        interrupts.python(*command), cwd=ROOT, env=environment.cleaned() | _given_database()
    )


def _given_database() -> dict[str, str]:
    # Tests that need a database use the server of DATABASE_URL when one is named, as ./dev run does.
    return {name: os.environ[name] for name in ("DATABASE_URL", "DATABASE_OWNER_URL") if name in os.environ}

"""Azure's own command-line tools, ``az`` and ``azd``, run with a limit of time."""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from infra.local import environment
from infra.local.errors import LocalError
from infra.local.stack import ROOT

#: Runs a command and returns what it wrote; raises LocalError.
type Runner = Callable[[Sequence[str]], str]

_WHERE = {
    "az": "https://learn.microsoft.com/cli/azure/install-azure-cli",
    "azd": "https://learn.microsoft.com/azure/developer/azure-developer-cli/install-azd",
}


def run(
    command: Sequence[str], *, seconds: float = 600, env: Mapping[str, str] | None = None, shown: bool = False
) -> str:
    """The standard output of ``az`` or ``azd``; with ``shown`` it goes to the screen instead.

    Raises LocalError: the tool is absent, failed or took longer. Its arguments are not quoted, for some are
    secret.
    """
    found = shutil.which(command[0])
    if found is None:
        raise LocalError(f"{command[0]} is not installed: {_WHERE.get(command[0], 'install it')}")
    try:
        done = subprocess.run(
            [found, *command[1:]],
            cwd=ROOT,
            env={**environment.cleaned(), **(env or {})},
            stdout=None if shown else subprocess.PIPE,
            stderr=None if shown else subprocess.PIPE,
            text=True,
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise LocalError(f"{command[0]} {command[1]} took longer than {seconds:.0f} s") from error
    if done.returncode != 0:
        said = (done.stderr or "").strip().splitlines()
        raise LocalError(f"{command[0]} {command[1]} failed: {said[-1] if said else 'see above'}")
    return done.stdout or ""


def values(runner: Runner) -> dict[str, str]:
    """The values of the selected azd environment, outputs of the infrastructure among them."""
    loaded: dict[str, Any] = json.loads(runner(["azd", "env", "get-values", "--output", "json"]))
    return {name: str(value) for name, value in loaded.items()}

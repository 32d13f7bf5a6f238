"""A package's own migrations, run from its files."""

import asyncio
import os
import sys
from pathlib import Path

from infra.local import environment
from infra.local.azure.bytecode import DEPENDENCIES
from infra.local.errors import LocalError


async def run_migrations(target: str, code: Path, database_url: str, what: str, seconds: float) -> str:
    """What ``shared.database.migrate`` of the unpacked package ``code`` says; ``what`` is its command.

    Raises LocalError naming the ``target`` if it fails, or takes longer than ``seconds``. Then the process is
    ended, so that PostgreSQL rolls the open migration back.
    """
    # Arguments can be read by every user of the machine, so the password is passed in the environment.
    env = environment.cleaned() | {
        "DATABASE_URL": database_url,
        "PYTHONPATH": f"{code}{os.pathsep}{code / DEPENDENCIES}",
        "PYTHONSAFEPATH": "1",
    }
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "shared.database.migrate", what),
        cwd=code,
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, failure = await asyncio.wait_for(child.communicate(), seconds)
    except TimeoutError as error:
        raise LocalError(f"{target}: the migration did not end within {seconds:.0f} s") from error
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0:
        lines = failure.decode().strip().splitlines()
        raise LocalError(f"{target}: the migration failed: {lines[-1] if lines else 'no output'}")
    return said.decode().strip()

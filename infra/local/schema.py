"""The schema of a local system: made by the migrations of the checkout, or by those of a package."""

import os
import sys
from pathlib import Path

from infra.local import environment
from infra.local.errors import LocalError
from infra.local.processes import Child

#: Names the folder of an unpacked package, whose migrations are used then. An app works on the next schema.
SCHEMA_FROM = "DEV_SCHEMA_FROM"
_ROOT = Path(__file__).resolve().parents[2]
_DEPENDENCIES = Path(".python_packages") / "lib" / "site-packages"


async def migrate(owner_url: str, logs: Path) -> None:
    """Bring a database to the newest migration as ``app_owner``; a :class:`LocalError` has the log's end."""
    env = environment.cleaned() | {"DATABASE_URL": owner_url}
    code = Path(os.environ.get(SCHEMA_FROM) or _ROOT)
    if code != _ROOT:
        path = f"{code}{os.pathsep}{code / _DEPENDENCIES}"
        env |= {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    child = Child(
        "the migration",
        [sys.executable, "-m", "shared.database.migrate", "upgrade"],
        log=logs / "migrate.log",
        env=env,
        cwd=code,
    )
    await child.start()
    try:
        status = await child.wait()
    finally:
        await child.stop()
    if status != 0:
        raise LocalError(f"the database could not be migrated; log: {child.log}\n{child.log_tail()}")

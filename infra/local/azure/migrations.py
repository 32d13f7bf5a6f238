"""Migrations by squawk: whether the version before can go on working while a migration runs and after it.

The SQL is what PostgreSQL is really told: every migration runs on a server of our own that logs it.
"""

import asyncio
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import asyncpg

from infra.local.postgres import OWNER, Postgres
from infra.local.stack import migrate

#: Up to here migrations were written before anything ran in Azure; nothing old can be running beside them.
BASELINE = "0029"
#: What a running older version would notice, or what stops its writes for long.
_RULES_LEFT_OUT = (
    # Migrations run in one transaction each, and once: they need no IF EXISTS.
    "prefer-robust-stmts",
    "ban-create-domain-with-constraint",
    "require-concurrent-index-creation",
    "require-concurrent-index-deletion",
    "require-timeout-settings",
    "prefer-identity",
    "prefer-text-field",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-big-int",
)
_STATEMENT = re.compile(r"LOG:  (?:statement|execute [^:]+): (.*)", re.DOTALL)
_VERSION = re.compile(r"version_num\s*(?:=\s*|\)\s*VALUES\s*\()'(\w+)'", re.IGNORECASE)
_SCHEMA = re.compile(r"\s*(ALTER|CREATE|DROP|GRANT|REVOKE)\b", re.IGNORECASE)


def check() -> tuple[str, int, str]:
    """Name, status and output of squawk over the schema changes after the baseline."""
    with tempfile.TemporaryDirectory(prefix="admin-assistant-squawk-") as name:
        folder = Path(name)
        log = asyncio.run(_logged(folder))
        files = []
        for revision, statements in statements_by_revision(log).items():
            if revision > BASELINE and statements:
                path = folder / f"{revision}.sql"
                path.write_text(";\n".join(statements) + ";\n", encoding="utf-8")
                files.append(str(path))
        if not files:
            return "squawk", 0, f"no migration after {BASELINE}"
        excluded = [f"--exclude={','.join(_RULES_LEFT_OUT)}", "--assume-in-transaction", "--pg-version=17.0"]
        done = subprocess.run(
            [str(Path(sys.executable).parent / "squawk"), *excluded, *files],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return "squawk", done.returncode, (done.stdout + done.stderr).strip()


def statements_by_revision(log: str) -> dict[str, list[str]]:
    """The statements that change the schema, by the revision whose number was written after them."""
    found: dict[str, list[str]] = {}
    waiting: list[str] = []
    for entry in re.split(r"\n(?=\S)", log):
        matched = _STATEMENT.search(entry)
        if matched is None:
            continue
        statement = matched.group(1).replace("\n\t", "\n").strip().rstrip(";")
        if version := _VERSION.search(statement):
            found[version.group(1)] = waiting
            waiting = []
        elif _SCHEMA.match(statement):
            waiting.append(statement)
    return found


async def _logged(folder: Path) -> str:
    """The server's log of all migrations, from the first to the newest."""
    log = folder / "postgres.log"
    postgres = Postgres(folder / "postgres", environ={}, log=log)
    await postgres.start()
    try:
        admin = postgres.url("postgres", "postgres").replace("postgresql+asyncpg:", "postgresql:")
        connection = await asyncpg.connect(admin)
        try:
            await connection.execute(f"ALTER ROLE {OWNER} SET log_statement = 'all'")
        finally:
            await connection.close()
        await migrate(postgres.url(OWNER), folder)
    finally:
        await postgres.stop()
    return log.read_text(encoding="utf-8", errors="replace")

"""Checks migrations with squawk: can the previous version keep working while a migration runs and after it?

The SQL is what PostgreSQL really gets: every migration runs on our own server, which logs it.
"""

import asyncio
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from infra.local.azure.revisions import BASELINE, chain, served_since
from infra.local.postgres import OWNER, Postgres
from infra.local.schema import migrate
from infra.local.stack import ROOT

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
)
#: What older code would notice: allowed to a migration that says since when code is served (revisions.py).
_TAKES_AWAY = (
    *("ban-drop-column", "ban-drop-table", "ban-drop-not-null", "renaming-column", "renaming-table"),
    *("adding-required-field", "adding-not-nullable-field"),
)
_REVOKES = re.compile(r"\s*REVOKE\b", re.IGNORECASE)
_STATEMENT = re.compile(r"LOG:  (?:statement|execute [^:]+): (.*)", re.DOTALL)
_VERSION = re.compile(r"version_num\s*(?:=\s*|\)\s*VALUES\s*\()'(\w+)'", re.IGNORECASE)
_SCHEMA = re.compile(r"\s*(ALTER|CREATE|DROP|GRANT|REVOKE)\b", re.IGNORECASE)


def check(versions: Path = ROOT / "shared" / "database" / "migrations" / "versions") -> tuple[str, int, str]:
    """Name, status and output of squawk over the schema changes after the baseline.

    Raises LocalError for a ``served_since`` that is no earlier revision.
    """
    migrations = chain(versions)
    served_since(migrations)
    contracting = {each.revision for each in migrations if each.served_since}
    with tempfile.TemporaryDirectory(prefix="admin-assistant-squawk-") as name:
        statements = statements_by_revision(asyncio.run(_logged(Path(name))))
    found = [
        said
        for revision, each in statements.items()
        if revision > BASELINE and each and (said := lint(revision, each, contracts=revision in contracting))
    ]
    return "squawk", 1 if found else 0, "\n".join(found) or f"nothing to say after {BASELINE}"


def lint(revision: str, statements: Sequence[str], *, contracts: bool) -> str:
    """What is wrong with the statements of one migration, empty if nothing is.

    One that ``contracts`` says since when code is served, and so may take something away.
    """
    revoked = [each for each in statements if _REVOKES.match(each)]
    if revoked and not contracts:
        return f"{revision}: {revoked[0]}: older code may need it; say served_since"
    rules = [*_RULES_LEFT_OUT, *(_TAKES_AWAY if contracts else ())]
    excluded = [f"--exclude={','.join(rules)}", "--assume-in-transaction", "--pg-version=17.0"]
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "squawk"),
            *excluded,
            f"--stdin-filepath={revision}.sql",
        ],
        input=";\n".join(statements) + ";\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return (done.stdout + done.stderr).strip() if done.returncode != 0 else ""


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

"""The chain of migrations, and which older code the newest schema still serves.

Migrations only go forward. Most add something, and code that does not know it works on. A migration that
takes something away says so with a module constant: ``served_since = "0031"``. Code written for schema 0031
or later still works after it; older code does not. ``./dev check-infra`` finds one that should say so.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import LocalError

#: Up to here migrations were written before anything ran in Azure; nothing old can be running beside them.
BASELINE = "0029"


@dataclass(frozen=True, slots=True)
class Migration:
    """One migration; ``served_since`` is empty where it takes nothing away."""

    revision: str
    served_since: str = ""


def chain(versions: Path) -> list[Migration]:
    """The migrations of a folder from the first to the newest, by their chain."""
    after: dict[str | None, Migration] = {}
    for path in versions.glob("[0-9]*.py"):
        text = path.read_text(encoding="utf-8")
        revision, before = _constant(text, "revision"), _constant(text, "down_revision")
        if revision:
            after[before or None] = Migration(revision, _constant(text, "served_since"))
    found: list[Migration] = []
    at: str | None = None
    while (migration := after.get(at)) is not None:
        found.append(migration)
        at = migration.revision
    return found


def served_since(migrations: list[Migration]) -> str:
    """The oldest revision whose code the newest schema still serves.

    Raises LocalError for a ``served_since`` that is no earlier revision of the chain.
    """
    place = {migration.revision: at for at, migration in enumerate(migrations)}
    oldest = place.get(BASELINE, 0)
    for at, migration in enumerate(migrations):
        if migration.served_since:
            since = place.get(migration.served_since, at)
            if since >= at:
                raise LocalError(
                    f"migration {migration.revision}: served_since names {migration.served_since}, "
                    "which is no earlier revision"
                )
            oldest = max(oldest, since)
    return migrations[oldest].revision


def _constant(text: str, name: str) -> str:
    found = re.search(rf'^{name}(?:: str)? = "(\w+)"', text, re.MULTILINE)
    return found.group(1) if found else ""

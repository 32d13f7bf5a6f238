"""Reports, operations and audit of a world that has come to rest: do the books balance?"""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.domain.runs.outcome import Outcome
from shared.errors import Unavailable
from tests.simulation.source_keys import archive_key_of, property_of

type Row = Mapping[str, Any]

_TERMINAL = ("completed", "completed_with_errors", "failed", "cancelled")


async def rows_of(session: AsyncSession, table: str) -> list[dict[str, Any]]:
    """All rows of a table."""
    return [dict(row) for row in (await session.execute(text(f"SELECT * FROM {table}"))).mappings()]  # noqa: S608


async def rows_once_answered(observer: Database, *tables: str) -> list[list[dict[str, Any]]]:
    """All rows of tables, once the database answers."""
    while True:
        with suppress(Unavailable):
            async with observer.reading() as session:
                return [await rows_of(session, table) for table in tables]
        await asyncio.sleep(1.0)


def check_runs(runs: Sequence[Row]) -> list[str]:
    """Every run is over and its report adds up (domain.md 2.13)."""
    problems = []
    for run in runs:
        if run["state"] not in _TERMINAL:
            problems.append(f"run {run['id']} is still {run['state']}")
            continue
        report = run["report"]
        added = sum(report[str(outcome)] for outcome in Outcome)
        if added != report["source"]:
            parts = {str(o): report[str(o)] for o in Outcome if report[str(o)]}
            problems.append(
                f"run {run['id']} counts {report['source']} events, its outcomes {added}: {parts}"
            )
    return problems


def check_operations(operations: Sequence[Row]) -> list[str]:
    """No operation is left open, and none that is over keeps its body."""
    problems = []
    for operation in operations:
        if operation["state"] in ("draft", "planned", "sent"):
            problems.append(
                f"operation {operation['id']} of run {operation['run_id']} is {operation['state']}"
            )
        elif operation["payload"] is not None:
            problems.append(f"operation {operation['id']} is {operation['state']} and keeps its body")
    return problems


def check_doubled(copies: Sequence[Row], rows: Sequence[Row]) -> list[str]:
    """No two copies that count are of one source event and one original date (domain.md 2.19)."""
    recorded = {row["archive_key"]: (row["source_id"], row["original_start"].date()) for row in rows}
    seen: Counter[tuple[str, date]] = Counter()
    for copy in copies:
        if copy["showAs"] == "free" or copy["isAllDay"]:
            continue
        said = json.loads(property_of(copy, "ArchiveSource") or "{}")
        if (origin := recorded.get(archive_key_of(copy))) is not None:
            seen[origin] += 1
        elif said:
            seen[said["source"], datetime.fromisoformat(said["originalStart"]).date()] += 1
    return [
        f"{count} copies of {source[-12:]} of {day} count"
        for (source, day), count in seen.items()
        if count > 1
    ]


def check_audit(operations: Sequence[Row], audit: Sequence[Row]) -> list[str]:
    """One batch row names each recorded operation, one row each updated copy (domain.md 7.1)."""
    recorded: Counter[tuple[str, str]] = Counter()
    updated: Counter[str] = Counter()
    for entry in audit:
        if entry["action"] == "archive_run.batch":
            for state, ids in entry["changes"]["operations"].items():
                recorded.update((state, each) for each in ids)
        elif entry["action"] == "appointment.updated":
            updated[entry["resource_id"]] += 1
    problems = []
    for operation in operations:
        identity, state = str(operation["id"]), operation["state"]
        if state in ("done", "failed", "conflict", "locked") and recorded[state, identity] != 1:
            problems.append(
                f"{recorded[state, identity]} audit rows say that operation {identity} is {state}"
            )
        if state == "done" and operation["action"] == "update" and updated[identity] != 1:
            problems.append(f"{updated[identity]} audit rows say what operation {identity} updated")
    return problems

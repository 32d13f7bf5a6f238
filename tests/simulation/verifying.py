"""What the last verification of a world must find: what was done by hand, nothing else (domain.md 2.15)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

type Row = Mapping[str, Any]

# Rows that say that there is a copy, or was one.
_ARCHIVED = ("present", "removed_by_owner")
# A locked period takes nothing late and nothing changed (domain.md 2.8).
_OF_LOCKED_PERIODS = ("not_written", "revision_differs")


def check_verification(
    verification: Row | None,
    findings: Sequence[Row],
    rows: Sequence[Row],
    touched: Collection[str],
    gone: Collection[str],
    *,
    locked: bool,
) -> list[str]:
    """``touched``, ``gone``: archive keys of copies that were changed by hand, and that were deleted."""
    if verification is None or verification["state"] != "completed":
        said = None if verification is None else (verification["state"], verification["reason"])
        return [f"the last verification did not complete: {said}"]
    problems = []
    by_id = {row["id"]: row for row in rows}
    for each in findings:
        row = by_id.get(each["archived_event_id"], {})
        if row.get("archive_key") in touched or (locked and each["reason"] in _OF_LOCKED_PERIODS):
            continue
        what = f"{each['kind']} ({each['reason']}) at {each['starts_at']:%m-%d %H:%M}"
        where = f"{row.get('state')} row {(each['source_key'] or '')[-24:]}"
        problems.append(f"verified: {what}, {where}")
    told = {each["archived_event_id"] for each in findings}
    problems += [
        f"verified: nothing is said of the deleted copy of {row['source_key'][-24:]}"
        for row in rows
        if row["archive_key"] in gone and row["state"] in _ARCHIVED and row["id"] not in told
    ]
    return problems

"""The report of ``./dev run``: one JSON object for programs, a table for people."""

import json
from collections.abc import Sequence
from typing import Any

from infra.local.outcome import MailboxOutcome

#: Shown in the table even when they are zero everywhere.
_ALWAYS = ("source", "archived", "unchanged", "updated", "merged", "failed", "missing", "doubled")
_COST = {"graph_requests": "requests", "round_trips": "round trips", "seconds": "seconds"}


def as_json(outcomes: Sequence[MailboxOutcome], calendars: Sequence[dict[str, Any]] = ()) -> str:
    """One JSON object: ``mailboxes`` by address and, when calendar files were given, ``calendars``."""
    report: dict[str, Any] = {"mailboxes": {outcome.address: outcome.counts for outcome in outcomes}}
    if calendars:
        report["calendars"] = list(calendars)
    return json.dumps(report, ensure_ascii=False)


def as_table(outcomes: Sequence[MailboxOutcome]) -> str:
    """A row for each mailbox; columns that are zero everywhere and say nothing are left out."""
    names = list(outcomes[0].counts) if outcomes else []
    shown = [
        name
        for name in names
        if name in _ALWAYS or name in _COST or any(outcome.counts[name] for outcome in outcomes)
    ]
    header = ["mailbox", *(_COST.get(name, name.replace("_", " ")) for name in shown)]
    rows = [[outcome.address, *(_number(outcome.counts[name]) for name in shown)] for outcome in outcomes]
    if len(rows) > 1:
        sums = [round(sum(outcome.counts[name] for outcome in outcomes), 3) for name in shown]
        # Mailboxes are archived side by side: their seconds do not add up to anything.
        totals = [
            "" if name == "seconds" else _number(total) for name, total in zip(shown, sums, strict=True)
        ]
        rows.append(["all", *totals])
    return table(header, rows)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Columns aligned: the first ``left`` ones to the left, the others to the right."""
    widths = [max(len(row[number]) for row in (header, *rows)) for number in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if number < left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  ".join(padded).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([line(header), rule, *map(line, rows)])


def problems(outcomes: Sequence[MailboxOutcome]) -> list[str]:
    """One line for each thing that is wrong; empty if the exit status is to be 0."""
    return [f"{outcome.address}: {problem}" for outcome in outcomes for problem in outcome.problems]


def _number(value: int | float) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)

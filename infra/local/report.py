"""The report of ``./dev run``: one JSON object for programs, a table for people."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from infra.local.archive_copies import NamedEvent
from infra.local.outcome import ArchiveOutcome
from infra.local.told import Needs

#: Shown in the table even when they are zero everywhere.
_ALWAYS = ("source", "archived", "unchanged", "updated", "merged", "failed", "missing", "doubled")
#: Named in the text; the JSON names all.
_NAMED = 20
_COST = {"graph_requests": "requests", "round_trips": "round trips", "seconds": "seconds"}


def as_json(
    outcomes: Sequence[ArchiveOutcome],
    calendars: Sequence[dict[str, Any]] = (),
    needs: Mapping[str, Needs] | None = None,
    another: Mapping[str, Any] | None = None,
    changed: Mapping[str, Any] | None = None,
) -> str:
    """One JSON object: ``mailboxes`` by address, ``configurations``, and what else there is.

    ``needs``: what waits for each person. ``another_mailbox``: an archive of another person's mailbox.
    ``changed_meeting``: a meeting that was changed after it was archived. ``calendars``: calendar files.

    The counts of a mailbox are the sum over its configurations, because each archives the same calendar.
    The number *doubled* is counted once for each archive calendar, even if configurations share it.
    """
    of_mailbox: dict[str, list[ArchiveOutcome]] = {}
    for outcome in outcomes:
        of_mailbox.setdefault(outcome.address, []).append(outcome)
    mailboxes = {
        address: {name: _sum(own, name) for name in own[0].counts} for address, own in of_mailbox.items()
    }
    report: dict[str, Any] = {
        "mailboxes": mailboxes,
        "configurations": [
            {
                "mailbox": outcome.address,
                "name": outcome.name,
                **outcome.about,
                **outcome.counts,
                **outcome.beside,
                "missing_events": [event.as_json() for event in outcome.missing],
                "doubled_events": [event.as_json() for event in outcome.doubled],
            }
            for outcome in outcomes
        ],
    }
    if needs is not None:
        report["needs"] = {address: each.as_json() for address, each in needs.items()}
    if another is not None:
        report["another_mailbox"] = dict(another)
    if changed is not None:
        report["changed_meeting"] = dict(changed)
    if calendars:
        report["calendars"] = list(calendars)
    return json.dumps(report, ensure_ascii=False)


def as_table(outcomes: Sequence[ArchiveOutcome]) -> str:
    """A row for each configuration; columns that are zero everywhere and say nothing are left out.

    A second table has what was done beside the archiving of single events. Below them stands what is missing
    or doubled, by name.
    """
    names = list(outcomes[0].counts) if outcomes else []
    shown = [
        name
        for name in names
        if name in _ALWAYS or name in _COST or any(outcome.counts[name] for outcome in outcomes)
    ]
    header = ["mailbox", "archive", *(_COST.get(name, name.replace("_", " ")) for name in shown)]
    rows = [
        [outcome.address, outcome.name, *(_number(outcome.counts[name]) for name in shown)]
        for outcome in outcomes
    ]
    if len(rows) > 1:
        sums = [_sum(outcomes, name) for name in shown]
        # Mailboxes are archived side by side: their seconds do not add up to anything.
        totals = [
            "" if name == "seconds" else _number(total) for name, total in zip(shown, sums, strict=True)
        ]
        rows.append(["all", "", *totals])
    return "\n\n".join([table(header, rows, left=2), *_beside(outcomes), *_wrong(outcomes)])


def _sum(outcomes: Sequence[ArchiveOutcome], name: str) -> int | float:
    if name == "doubled":
        by_archive = {outcome.about["archive"].casefold(): outcome.counts[name] for outcome in outcomes}
        return sum(by_archive.values())
    return round(sum(outcome.counts[name] for outcome in outcomes), 3)


def _wrong(outcomes: Sequence[ArchiveOutcome]) -> list[str]:
    """What is missing and what is doubled, by name."""
    told = []
    for outcome in outcomes:
        for name, events in (("missing", outcome.missing), ("doubled", outcome.doubled)):
            if not events:
                continue
            lines = [f"{len(events)} {name} in {outcome.address}, {outcome.name}:"]
            lines += [_named(event) for event in events[:_NAMED]]
            more = len(events) - _NAMED
            told.append("\n".join(lines + ([f"  and {more} more"] if more > 0 else [])))
    return told


def _named(event: NamedEvent) -> str:
    copies = f"  ({event.copies} copies)" if event.copies else ""
    return f"  {event.start[:16].replace('T', ' ')} UTC  {event.subject or '(no subject)'}{copies}"


def _beside(outcomes: Sequence[ArchiveOutcome]) -> list[str]:
    told = [outcome for outcome in outcomes if any(outcome.beside.values())]
    if not told:
        return []
    header = ["mailbox", "archive", *(name.replace("_", " ") for name in told[0].beside)]
    rows = [[outcome.address, outcome.name, *map(_number, outcome.beside.values())] for outcome in told]
    lines = [
        f"Backfill of {outcome.address}, {outcome.name}: {backfill['months_done']} of"
        f" {backfill['months_total']} months, {backfill['progress']} %, {backfill['status']}."
        for outcome in outcomes
        if (backfill := outcome.about["backfill"])
    ]
    return [table(header, rows, left=2), *(["\n".join(lines)] if lines else [])]


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


def problems(outcomes: Sequence[ArchiveOutcome]) -> list[str]:
    """One line for each problem. Empty if the exit status should be 0."""
    return [
        f"{outcome.address}, {outcome.name}: {problem}"
        for outcome in outcomes
        for problem in outcome.problems
    ]


def _number(value: int | float) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)

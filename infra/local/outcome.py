"""The outcome of archiving for each mailbox: what the runs told, held against what the calendars hold."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from infra.local.readback import Comparison, Window, compare
from infra.local.runs import Followed
from infra.local.stack import Stack

#: Each source event is in exactly one of these (domain.md 2.13).
OUTCOMES = (
    "archived",
    "unchanged",
    "updated",
    "merged",
    "consumed",
    "left_out",
    "flagged",
    "locked",
    "conflict",
    "failed",
)
#: Outcomes that leave a source event without a copy, rightly.
_WITHOUT_COPY = ("consumed", "left_out", "flagged", "locked", "conflict", "failed")


@dataclass(frozen=True, slots=True)
class MailboxOutcome:
    """The counts of one mailbox, in the order of the report, and what is wrong with them."""

    address: str
    counts: dict[str, int | float]
    problems: tuple[str, ...]
    #: The source events of the windows, as the simulator gives them.
    events: tuple[dict[str, Any], ...]


async def outcome_of(stack: Stack, followed: Followed) -> MailboxOutcome:
    """Compare the finished runs of one configuration with its two calendars."""
    configuration = followed.configuration
    zone = ZoneInfo(configuration["time_zone"])
    windows = [
        Window(_instant(run["window_start"]), _instant(run["window_end"]), zone) for run in followed.runs
    ]
    first = datetime.combine(date.fromisoformat(configuration["archive_from"]), time.min, zone)
    archived = Window(first.astimezone(UTC), max(window.end for window in windows), zone)
    comparison = await compare(stack, configuration, windows, archived)
    told = _sum_of_reports(followed.runs)
    excused = Excused(stack.state_dir / "without-copy.json", configuration["id"])
    missing = excused.missing(comparison.uncovered, sum(int(told[name]) for name in _WITHOUT_COPY))
    return assemble(_address(configuration), told, comparison, missing, _unfinished(followed.runs))


def assemble(
    address: str,
    told: Mapping[str, int | float],
    comparison: Comparison,
    missing: int,
    problems: Sequence[str],
) -> MailboxOutcome:
    """The outcome of a mailbox; ``told`` is what its runs reported.

    ``source`` is counted in the source calendar, so a run that overlooks an event does not add up.
    """
    counts: dict[str, int | float] = {"source": comparison.source}
    counts |= {name: told[name] for name in OUTCOMES}
    counts |= {"missing": missing, "doubled": len(comparison.doubled)}
    counts |= {name: told[name] for name in ("graph_requests", "round_trips", "seconds")}
    found = list(problems)
    total = sum(told[name] for name in OUTCOMES)
    if total != comparison.source:
        found.append(f"{total} outcomes for {comparison.source} source events")
    found += [f"{counts[name]} {name}" for name in ("missing", "doubled", "failed") if counts[name]]
    return MailboxOutcome(address, counts, tuple(found), comparison.events)


class Excused:
    """Source events that have no copy, rightly, kept from one run to the next.

    A later run of another window says nothing of them any more; without this memory they would look lost.
    """

    def __init__(self, path: Path, configuration_id: str) -> None:
        self._path = path
        self._configuration = configuration_id

    def missing(self, uncovered: frozenset[str], allowed: int) -> int:
        """How many of the events without a copy are lost; ``allowed`` of the new ones are accounted for."""
        kept = self._read()
        known = set(kept.get(self._configuration, []))
        new = uncovered - known
        if len(new) > allowed:
            return len(new) - allowed
        # Those that got their copy meanwhile are dropped, so that losing it later is noticed.
        kept[self._configuration] = sorted(uncovered)
        self._path.write_text(json.dumps(kept))
        return 0

    def _read(self) -> dict[str, list[str]]:
        try:
            return dict(json.loads(self._path.read_text()))
        except (FileNotFoundError, ValueError):
            return {}


def _sum_of_reports(runs: Sequence[Mapping[str, Any]]) -> dict[str, int | float]:
    names = (*OUTCOMES, "graph_requests", "round_trips", "seconds")
    reports = [run.get("report") or {} for run in runs]
    summed = {name: sum(report.get(name) or 0 for report in reports) for name in names}
    return summed | {"seconds": round(summed["seconds"], 3)}


def _unfinished(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"run {run['id']} ended {run['state']}" for run in runs if run["state"] != "completed"]


def _address(configuration: Mapping[str, Any]) -> str:
    return unquote(str(configuration["source"]).removeprefix("msgraph://").partition("/")[0])


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)

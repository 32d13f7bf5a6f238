"""The outcome of archiving by configuration: what its runs told, held against what the calendars hold."""

import json
from collections.abc import Collection, Mapping, Sequence
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
#: What is told beside them.
BESIDE = ("overlaps_resolved", "modifications_applied", "orphan_modifications", "category_issues")
COST = ("graph_requests", "round_trips", "seconds")
#: Outcomes that leave a source event without a copy, rightly.
_WITHOUT_COPY = ("consumed", "left_out", "flagged", "locked", "conflict", "failed")
#: Those of them that no look at the calendar explains.
_UNEXPLAINED = ("locked", "conflict", "failed")


@dataclass(frozen=True, slots=True)
class ArchiveOutcome:
    """The counts of one configuration, in the order of the report, and what is wrong with them."""

    address: str
    name: str
    #: Purpose, overlap policy, archive calendar, and how its backfill ended if it has one.
    about: dict[str, Any]
    counts: dict[str, int | float]
    beside: dict[str, int | float]
    problems: tuple[str, ...]
    #: The source events of the windows, as the simulator gives them.
    events: tuple[dict[str, Any], ...]


async def outcome_of(stack: Stack, followed: Followed) -> ArchiveOutcome:
    """Compare the finished runs of one configuration with its two calendars."""
    configuration = followed.configuration
    zone = ZoneInfo(configuration["time_zone"])
    windows = [
        Window(_instant(run["window_start"]), _instant(run["window_end"]), zone) for run in followed.runs
    ]
    begin = datetime.combine(date.fromisoformat(configuration["archive_from"]), time.min, zone)
    first = min(begin.astimezone(UTC), *(window.start for window in windows))
    archived = Window(first, max(window.end for window in windows), zone)
    comparison = await compare(stack, configuration, windows, archived)
    told = _sum_of_reports(followed.runs)
    missing = _missing(stack.state_dir / "without-copy.json", configuration["id"], comparison, told)
    return assemble(followed, told, comparison, missing)


def assemble(
    followed: Followed,
    told: Mapping[str, int | float],
    comparison: Comparison,
    missing: int,
) -> ArchiveOutcome:
    """The outcome of a configuration; ``told`` is what its runs reported.

    ``source`` is counted in the source calendar, so a run that overlooks an event does not add up.
    """
    counts: dict[str, int | float] = {"source": comparison.source}
    counts |= {outcome: told[outcome] for outcome in OUTCOMES}
    counts |= {"missing": missing, "doubled": len(comparison.doubled)}
    counts |= {cost: told[cost] for cost in COST}
    found = _unfinished(followed)
    total = sum(told[outcome] for outcome in OUTCOMES)
    if total != comparison.source:
        found.append(f"{total} outcomes for {comparison.source} source events")
    found += [f"{counts[wrong]} {wrong}" for wrong in ("missing", "doubled", "failed") if counts[wrong]]
    beside = {count: told[count] for count in BESIDE}
    about = {key: followed.configuration[key] for key in ("purpose", "overlap_policy", "archive")}
    return ArchiveOutcome(
        _address(followed.configuration),
        followed.configuration["name"],
        about | {"backfill": followed.backfill and _backfill(followed.backfill)},
        counts,
        beside,
        tuple(found),
        comparison.events,
    )


class Excused:
    """Source events that have no copy, rightly, kept from one run to the next.

    A later run of another window says nothing of them any more; without this memory they would look lost.
    """

    def __init__(self, path: Path, configuration_id: str) -> None:
        self._path = path
        self._configuration = configuration_id

    def new(self, uncovered: Collection[str]) -> set[str]:
        """Those that were not known before."""
        return set(uncovered) - set(self._read().get(self._configuration, []))

    def missing(self, uncovered: frozenset[str], allowed: int) -> int:
        """How many of the events without a copy are lost; ``allowed`` of the new ones are accounted for."""
        new = self.new(uncovered)
        if len(new) > allowed:
            return len(new) - allowed
        # Those that got their copy meanwhile are dropped, so that losing it later is noticed.
        kept = self._read() | {self._configuration: sorted(uncovered)}
        self._path.write_text(json.dumps(kept))
        return 0

    def _read(self) -> dict[str, list[str]]:
        try:
            return dict(json.loads(self._path.read_text()))
        except (FileNotFoundError, ValueError):
            return {}


def _missing(
    path: Path, configuration_id: str, comparison: Comparison, told: Mapping[str, int | float]
) -> int:
    """Events without a copy: more than the runs account for, or such as no rule explains (domain.md 2.13)."""
    excused = Excused(path, configuration_id)
    strange = len(excused.new(comparison.unexplained)) - sum(int(told[name]) for name in _UNEXPLAINED)
    if strange > 0:
        return strange
    return excused.missing(comparison.uncovered, sum(int(told[name]) for name in _WITHOUT_COPY))


def _sum_of_reports(runs: Sequence[Mapping[str, Any]]) -> dict[str, int | float]:
    names = (*OUTCOMES, *BESIDE, *COST)
    reports = [run.get("report") or {} for run in runs]
    summed = {name: sum(report.get(name) or 0 for report in reports) for name in names}
    return summed | {"seconds": round(summed["seconds"], 3)}


def _unfinished(followed: Followed) -> list[str]:
    problems = [
        f"run {run['id']} ended {run['state']}" for run in followed.runs if run["state"] != "completed"
    ]
    if followed.backfill and followed.backfill["state"] != "completed":
        problems.append(f"the backfill is {followed.backfill['state']}: {followed.backfill['reason']}")
    return problems


def _backfill(backfill: Mapping[str, Any]) -> dict[str, Any]:
    names = ("state", "range_start", "range_end", "months_done", "months_total", "progress")
    return {name: backfill[name] for name in names}


def _address(configuration: Mapping[str, Any]) -> str:
    return unquote(str(configuration["source"]).removeprefix("msgraph://").partition("/")[0])


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)

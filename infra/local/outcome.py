"""The outcome of archiving by configuration: what its runs told, held against what the calendars hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from infra.local.api import Api
from infra.local.archive_copies import NamedEvent
from infra.local.readback import Comparison, Window, compare, missing_events, read_calendars
from infra.local.runs import Followed
from infra.local.stack import Stack
from infra.local.told_reasons import told_reasons

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
#: What is reported besides them.
BESIDE = ("overlaps_resolved", "modifications_applied", "orphan_modifications", "category_issues")
#: Events of the archive calendar that no run wrote; they harm nothing.
_UNKNOWN = "unknown"
COST = ("graph_requests", "round_trips", "seconds")


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
    #: What has no copy and should have one, and what has more than one.
    missing: tuple[NamedEvent, ...] = ()
    doubled: tuple[NamedEvent, ...] = ()


async def outcome_of(stack: Stack, followed: Followed) -> ArchiveOutcome:
    """Compare the finished runs of one configuration with its two calendars.

    Without a run nothing is expected of the configuration, and only its archive calendar is looked at. The
    API is asked as the person themselves: an Admin sees private events as one number apart (domain.md 6.3).
    """
    configuration = followed.configuration
    api = Api(stack.client, stack.api, await stack.token(_address(configuration), ("User",)))
    runs = [(await api.request("GET", f"archive-runs/{run['id']}")).json() for run in followed.runs]
    followed = replace(followed, runs=runs)
    zone = ZoneInfo(configuration["time_zone"])
    windows = [
        Window(_instant(run["window_start"]), _instant(run["window_end"]), zone) for run in followed.runs
    ]
    archived = _archived(configuration, windows, zone)
    calendars = await read_calendars(stack, configuration, archived)
    comparison = compare(configuration, calendars, windows, archived)
    lost: tuple[NamedEvent, ...] = ()
    if comparison.uncovered:
        reasons = await told_reasons(
            api,
            configuration["id"],
            followed.runs,
            archived.start,
            archived.end,
            len(comparison.uncovered),
        )
        lost = missing_events(comparison, reasons, configuration, zone)
    return assemble(followed, _sum_of_reports(followed.runs), comparison, lost)


def assemble(
    followed: Followed,
    told: Mapping[str, int | float],
    comparison: Comparison,
    missing: Sequence[NamedEvent] = (),
) -> ArchiveOutcome:
    """The outcome of a configuration; ``told`` is what its runs reported.

    ``source`` is counted in the source calendar, so a run that overlooks an event does not add up.
    """
    source = len(comparison.events)
    counts: dict[str, int | float] = {"source": source}
    counts |= {outcome: told[outcome] for outcome in OUTCOMES}
    counts |= {"missing": len(missing), "doubled": len(comparison.doubled)}
    counts |= {cost: told[cost] for cost in COST}
    found = _unfinished(followed)
    total = sum(told[outcome] for outcome in OUTCOMES)
    if total != source:
        found.append(f"{total} outcomes for {source} source events")
    found += [f"{counts[wrong]} {wrong}" for wrong in ("missing", "doubled", "failed") if counts[wrong]]
    beside = {count: told[count] for count in BESIDE} | {_UNKNOWN: comparison.unknown}
    about = {key: followed.configuration[key] for key in ("purpose", "overlap_policy", "archive")}
    return ArchiveOutcome(
        _address(followed.configuration),
        followed.configuration["name"],
        about | {"backfill": followed.backfill and _backfill(followed.backfill)},
        counts,
        beside,
        tuple(found),
        comparison.events,
        tuple(missing),
        comparison.doubled,
    )


def _archived(configuration: Mapping[str, Any], windows: Sequence[Window], zone: ZoneInfo) -> Window:
    """What should be in the archive after runs of those windows; empty without any."""
    begin = datetime.combine(date.fromisoformat(configuration["archive_from"]), time.min, zone)
    first = min([begin.astimezone(UTC), *(window.start for window in windows)])
    return Window(first, max((window.end for window in windows), default=first), zone)


def _sum_of_reports(runs: Sequence[Mapping[str, Any]]) -> dict[str, int | float]:
    names = (*OUTCOMES, *BESIDE, *COST)
    reports = [run.get("report") or {} for run in runs]
    summed = {name: sum(report.get(name) or 0 for report in reports) for name in names}
    return summed | {"seconds": round(summed["seconds"], 3)}


def _unfinished(followed: Followed) -> list[str]:
    problems = [
        f"run {run['id']} ended {run['status']}"
        + (f": {run['reason_code']}" if run.get("reason_code") else "")
        for run in followed.runs
        if run["status"] != "completed"
    ]
    if followed.backfill and followed.backfill["status"] != "completed":
        problems.append(f"the backfill is {followed.backfill['status']}: {followed.backfill['reason']}")
    return problems


def _backfill(backfill: Mapping[str, Any]) -> dict[str, Any]:
    names = ("status", "window_start", "window_end", "months_done", "months_total", "progress")
    return {name: backfill[name] for name in names}


def _address(configuration: Mapping[str, Any]) -> str:
    return unquote(str(configuration["source"]).removeprefix("msgraph://").partition("/")[0])


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)

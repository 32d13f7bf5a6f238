"""What the archive says of a calendar file: overlaps, categories that need attention, hours that count.

Asked of the API with the token of the file's own person. No hour is added up here: what counts is the API's
to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from infra.local.api import Api
from infra.local.calendar_file import CalendarFile
from infra.local.report import table
from infra.local.stack import Stack

#: Lines of each list in the text; the JSON holds all.
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Findings:
    """Groups of overlapping events, events without one valid category, events with a valid one that count as
    no time, and hours, also by week; as the API gives them.
    """

    overlaps: list[dict[str, Any]]
    uncategorised: list[dict[str, Any]]
    without_hours: list[dict[str, Any]]
    statistics: dict[str, Any]
    zone: str


async def find(stack: Stack, file: CalendarFile, configuration_id: str) -> Findings:
    """Ask for the range of the file. Raises LocalError when the API refuses."""
    token = await stack.token(file.person.address, ("User",))
    api = Api(stack.client, stack.api, token)
    days: dict[str, Any] = {
        "configuration_id": configuration_id,
        "first_day": file.start.isoformat(),
        "last_day": (file.end - timedelta(days=1)).isoformat(),
    }
    groups = [
        (await api.request("GET", f"overlaps/{group['id']}")).json()
        async for group in api.items("overlaps", configuration_id=configuration_id)
        if group["status"] not in ("closed", "merged")
    ]
    suggested = [event async for event in api.items("categories/suggestions", **days)]
    idle = [event async for event in api.items("categories/validation", state="without_hours", **days)]
    zone = file.person.time_zone
    by_week = days | {"group_by": "week", "time_zone": zone}
    statistics = (await api.request("GET", "categories/statistics", **by_week)).json()
    return Findings(sorted(groups, key=_start), suggested, idle, statistics, zone)


def as_json(findings: Findings) -> dict[str, Any]:
    """For programs: everything, as the API gave it."""
    return {
        "overlaps": findings.overlaps,
        "uncategorised": findings.uncategorised,
        "without_hours": findings.without_hours,
        "hours": findings.statistics,
    }


def as_text(findings: Findings) -> str:
    """For people: the lists, cut where they become long, and a table of hours."""
    zone = ZoneInfo(findings.zone)
    return "\n".join(
        [
            *_overlap_lines(findings.overlaps, zone),
            "",
            *_uncategorised_lines(findings.uncategorised, zone),
            "",
            *_without_hours_lines(findings.without_hours, zone),
            *_hours_lines(findings.statistics),
        ]
    )


def _overlap_lines(groups: Sequence[dict[str, Any]], zone: ZoneInfo) -> list[str]:
    if not groups:
        return ["No events overlap."]
    lines = [f"{len(groups)} {'group' if len(groups) == 1 else 'groups'} of overlapping events:"]
    for group in groups[:_SHOWN]:
        lines.append(f"  {_span(group, zone)}  {group['status']}")
        lines += [
            f"      {_span(member, zone)}  {member['subject'] or '(no subject)'}"
            for member in group["members"]
        ]
    return lines + _more(groups)


def _uncategorised_lines(events: Sequence[dict[str, Any]], zone: ZoneInfo) -> list[str]:
    if not events:
        return ["Every event has a valid category."]
    lines = [f"{len(events)} {'event' if len(events) == 1 else 'events'} without a valid category:"]
    for event in events[:_SHOWN]:
        given = f" [{', '.join(event['categories'])}]" if event["categories"] else ""
        lines.append(f"  {_span(event, zone)}  {event['subject'] or '(no subject)'}{given}")
        lines += [f"      {_reason(suggestion)}" for suggestion in event["suggestions"][:2]]
    return lines + _more(events)


def _reason(suggestion: dict[str, Any]) -> str:
    evidence = suggestion["evidence"]
    if evidence:
        because = f"{evidence[0]['count']} × the same {evidence[0]['relation']}"
    else:
        because = "a rule of yours" if suggestion["rule_id"] else "one of its own"
    return f"perhaps {suggestion['category']} ({because})"


def _without_hours_lines(events: Sequence[dict[str, Any]], zone: ZoneInfo) -> list[str]:
    if not events:
        return []
    what = "event has" if len(events) == 1 else "events have"
    lines = [f"{len(events)} {what} a valid category and no hours, being all-day or free:"]
    for event in events[:_SHOWN]:
        given = ", ".join(event["categories"])
        lines.append(f"  {_span(event, zone)}  {event['subject'] or '(no subject)'} [{given}]")
    return [*lines, *_more(events), ""]


def _hours_lines(statistics: dict[str, Any]) -> list[str]:
    rows = [["ambiguous", "", *_tally(statistics["ambiguous"])]] if statistics["ambiguous"]["count"] else []
    rows += [[line["customer"], line["billing_type"], *_tally(line)] for line in statistics["lines"]]
    rows += [[name, "", *_tally(statistics[name])] for name in ("personal", "invalid", "total")]
    header = ["customer", "billing type", "events", "hours", "net hours"]
    return ["Hours by customer:", "", table(header, rows, left=2), *_not_counted(statistics["not_counted"])]


def _tally(tally: dict[str, Any]) -> list[str]:
    return [str(tally["count"]), f"{tally['hours']:.2f}", f"{tally['net_hours']:.2f}"]


def _not_counted(reasons: Sequence[dict[str, Any]]) -> list[str]:
    if not reasons:
        return []
    told = ", ".join(f"{each['count']} {each['why_not'].replace('_', ' ')}" for each in reasons)
    return ["", f"Events that count as no time: {told}."]


def _span(item: dict[str, Any], zone: ZoneInfo) -> str:
    if item.get("is_all_day"):
        # All-day events lie between midnights UTC of their dates, the last one exclusive.
        first, after = (datetime.fromisoformat(item[edge]).date() for edge in ("start", "end"))
        last = after - timedelta(days=1)
        return f"{first}, all day" if last <= first else f"{first} to {last}, all day"
    start, end = _local(item["start"], zone), _local(item["end"], zone)
    other_day = "" if start.date() == end.date() else f" ({end:%d %b})"
    return f"{start:%Y-%m-%d %H:%M} to {end:%H:%M}{other_day}"


def _more(items: Sequence[object]) -> list[str]:
    return [f"  and {len(items) - _SHOWN} more"] if len(items) > _SHOWN else []


def _local(text: str, zone: ZoneInfo) -> datetime:
    return datetime.fromisoformat(text).astimezone(zone)


def _start(item: dict[str, Any]) -> str:
    return str(item["start"])

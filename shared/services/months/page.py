"""The month as one HTML page with inline style and plots, no script, no other file (domain.md 2.20).

Every number comes from the resource. Only positions and lengths of the plots are computed here.
"""

import hashlib
import math
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from shared.schemas.months import (
    MonthAttention,
    MonthBefore,
    MonthCustomer,
    MonthDay,
    MonthEventResource,
    MonthFigures,
    MonthOverlapResource,
    MonthResource,
)
from shared.services.months.day_plot import DayScale, plotted_day

_FOLDER: Final = Path(__file__).parent
_STYLE: Final = (_FOLDER / "month.css").read_text(encoding="utf-8")
_DIGEST: Final = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
#: The page may load nothing except its inline style.
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_KINDS: Final = (
    ("billable", "billable"),
    ("non_billable", "non-billable"),
    ("without_category", "no category"),
    ("ambiguous", "more than one category"),
    ("private", "private"),
)
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WIDTH: Final = 1000


def month_page(month: MonthResource) -> bytes:
    """The page, UTF-8."""
    zone = ZoneInfo(month.time_zone)
    before = _title(date.fromisoformat(f"{month.before.month}-01"))
    return (
        _template()
        .render(
            css=Markup(_STYLE),  # noqa: S704 # nosec B704 - a file of ours
            month=month,
            title=_title(month.first_day),
            figures=list(_headline(month)),
            total=_row(month),
            legend=[each for each in _KINDS if getattr(month, each[0]).count],
            before_name=before,
            before_short=f"{date.fromisoformat(f'{month.before.month}-01'):%b}",
            weeks=_weeks(month),
            customers=_customers(month.customers),
            attention=[_attention(each, zone) for each in month.attention],
            weekdays=_WEEKDAYS,
            **_calendar(month, zone),
            missing=_missing(month),
            overlaps=[_overlap(each, zone) for each in month.overlaps],
            modifications=[
                {"name": each.subject, "when": _day_of(each.start, zone), "text": each.text}
                for each in month.modifications
            ],
            unapplied=[
                {"name": each.subject, "when": _day_of(each.start, zone), "text": each.reason}
                for each in month.unapplied_modifications
            ],
            not_counted=", ".join(f"{each.count} {each.reason}" for each in month.not_counted),
        )
        .encode()
    )


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string((_FOLDER / "month.html").read_text(encoding="utf-8"))


def _title(day: date) -> str:
    return f"{day:%B %Y}"


def _headline(month: MonthResource) -> Iterator[dict[str, str]]:
    before: MonthBefore = month.before
    yield _figure("Net hours", month.total.net_hours, before.total.net_hours, month)
    yield _figure("Billable", month.billable.net_hours, before.billable.net_hours, month)
    yield _figure("Non-billable", month.non_billable.net_hours, before.non_billable.net_hours, month)
    yield _figure("No category", month.without_category.net_hours, before.without_category.net_hours, month)
    if month.ambiguous.count:
        yield _figure("Two categories", month.ambiguous.net_hours, before.ambiguous.net_hours, month)
    if month.private.count:
        yield _figure("Private", month.private.net_hours, before.private.net_hours, month)
    yield {"name": "Gross hours", "hours": _hours(month.total.hours), "note": f"{month.total.count} events"}


def _figure(name: str, hours: float, before: float, month: MonthResource) -> dict[str, str]:
    earlier = date.fromisoformat(f"{month.before.month}-01")
    return {"name": name, "hours": _hours(hours), "note": f"{earlier:%B}: {_hours(before)}"}


def _row(figures: MonthFigures) -> dict[str, str]:
    return {
        "net": _hours(figures.total.net_hours),
        "billable": _hours(figures.billable.net_hours),
        "non_billable": _hours(figures.non_billable.net_hours),
        "without": _hours(figures.without_category.net_hours),
    }


def _weeks(month: MonthResource) -> list[dict[str, Any]]:
    longest = max((_length(each) for each in month.weeks), default=0.0)
    return [
        _row(each)
        | {
            "days": _short_span(each.first_day, each.last_day),
            "segments": _segments([(kind, getattr(each, kind).net_hours) for kind, _ in _KINDS], longest),
        }
        for each in month.weeks
    ]


def _length(figures: MonthFigures) -> float:
    return math.fsum(getattr(figures, kind).net_hours for kind, _ in _KINDS)


def _customers(customers: Sequence[MonthCustomer]) -> list[dict[str, Any]]:
    longest = max(
        (
            max(each.billable.net_hours + each.non_billable.net_hours, each.net_hours_before)
            for each in customers
        ),
        default=0.0,
    )
    return [
        {
            "name": each.customer,
            "billable": _hours(each.billable.net_hours),
            "non_billable": _hours(each.non_billable.net_hours),
            "before": _hours(each.net_hours_before),
            "segments": _segments(
                [("billable", each.billable.net_hours), ("non_billable", each.non_billable.net_hours)],
                longest,
            ),
            "mark": round(_WIDTH * each.net_hours_before / longest, 1) if each.net_hours_before else None,
        }
        for each in customers
    ]


def _segments(parts: Iterable[tuple[str, float]], longest: float) -> list[dict[str, Any]]:
    found, x = [], 0.0
    for kind, hours in parts:
        if hours:
            width = _WIDTH * hours / longest
            found.append({"kind": kind, "x": round(x, 1), "width": round(width, 1)})
            x += width
    return found


def _attention(each: MonthAttention, zone: ZoneInfo) -> dict[str, str]:
    return {
        "name": each.name,
        "reason": each.reason,
        "action": each.remedy,
        "hours": f"{_hours(each.hours)} h",
        "count": f"{each.count} events" if each.count > 1 else "",
        "when": _span(each.first_start.astimezone(zone).date(), each.last_start.astimezone(zone).date()),
    }


@dataclass(frozen=True, slots=True)
class _Missing:
    total: str
    workday: str
    days: str


def _missing(month: MonthResource) -> _Missing | None:
    days = [day for day in month.days if day.missing_hours]
    if not days:
        return None
    told = ", ".join(f"{day.day:%a} {day.day.day} ({_hours(day.missing_hours)})" for day in days)
    return _Missing(f"{_hours(month.missing_hours)} h", f"{_hours(month.workday_hours)} h", told)


def _calendar(month: MonthResource, zone: ZoneInfo) -> dict[str, Any]:
    timed = [event for event in month.events if not event.is_all_day and event.end > event.start]
    scale = DayScale.of(((event.start, event.end) for event in timed if event.counts), zone)
    by_day: dict[date, list[MonthEventResource]] = {}
    for event in timed:
        by_day.setdefault(event.day, []).append(event)
    blank: list[dict[str, Any] | None] = [None] * month.first_day.weekday()
    days = [_day(day, by_day.get(day.day, ()), scale, zone) for day in month.days]
    after: list[dict[str, Any] | None] = [None] * (-(len(blank) + len(days)) % 7)
    return {
        "days": [*blank, *days, *after],
        "gridlines": [scale.y(hour) for hour in scale.lines],
        "hours_of_lines": ", ".join(f"{hour}:00" for hour in scale.lines),
    }


def _day(
    day: MonthDay, events: Sequence[MonthEventResource], scale: DayScale, zone: ZoneInfo
) -> dict[str, Any]:
    shown = [event for event in events if event.counts or event.reason_code == "free"]
    return {
        "number": day.day.day,
        "workday": day.workday,
        "absent": day.absent,
        "net": _hours(day.total.net_hours) if day.total.count else "",
        "missing": _hours(day.missing_hours) if day.missing_hours else "",
        "label": f"{day.day:%A} {day.day.day}: {_hours(day.total.net_hours)} net hours",
    } | plotted_day(day.day, shown, scale, zone)


def _overlap(overlap: MonthOverlapResource, zone: ZoneInfo) -> dict[str, Any]:
    hours = overlap.hours_waiting or overlap.hours_twice
    proposal = overlap.proposal
    note = overlap.note
    if proposal is not None and (overlap.hours_waiting or overlap.hours_twice):
        kept = [each.subject for each in overlap.members if each.source_key in proposal.kept]
        note += f"; the rule would keep {', '.join(kept)}: {proposal.reason}"
    return {
        "when": _day_of(overlap.start, zone),
        "hours": f"{_hours(hours)} h" if hours else "",
        "members": [
            f"{each.start.astimezone(zone):%H:%M}–{each.end.astimezone(zone):%H:%M}  {each.subject}"
            + (f" [{', '.join(each.categories)}]" if each.categories else "")
            + ("" if each.counts else ", does not count")
            for each in overlap.members
        ],
        "note": note,
    }


def _day_of(instant: datetime, zone: ZoneInfo) -> str:
    local = instant.astimezone(zone)
    return f"{local:%a} {local.day} {local:%B}"


def _span(first: date, last: date) -> str:
    if first == last:
        return f"{first.day} {first:%B}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} – {last.day} {last:%B}"
    return f"{first.day} {first:%B} – {last.day} {last:%B}"


def _short_span(first: date, last: date) -> str:
    return f"{first.day} – {last.day} {last:%b}" if first != last else f"{first.day} {first:%b}"


def _hours(hours: float) -> str:
    return f"{hours:,.2f}".replace(",", "\u202f")

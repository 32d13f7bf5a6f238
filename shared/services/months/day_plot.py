"""The layout of a day's events: side by side if they overlap. Lengths are in percent."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from shared.domain.categories.category import CategoryState
from shared.schemas.months import MonthEventResource

_FIRST, _LAST = 8, 18
_LINES: Final = (8, 12, 16, 20)
_WIDTH: Final = 94.0
_THIN: Final = 1.5


@dataclass(frozen=True, slots=True)
class DayScale:
    """The hours of a day that are drawn. Events outside them are cut at the edge."""

    first: int
    last: int

    @classmethod
    def of(cls, spans: Iterable[tuple[datetime, datetime]], zone: ZoneInfo) -> "DayScale":
        """At least eight to six, and more if the events need it."""
        first, last = _FIRST, _LAST
        for start, end in spans:
            local, until = start.astimezone(zone), end.astimezone(zone)
            first = min(first, local.hour)
            last = 24 if until.date() > local.date() else max(last, math.ceil(until.hour + until.minute / 60))
        return cls(first, last)

    @property
    def lines(self) -> list[int]:
        """The hours at which lines are drawn."""
        return [hour for hour in _LINES if self.first < hour < self.last]

    def y(self, hour: float) -> float:
        """The vertical position of an hour."""
        return round(100 * (min(max(hour, self.first), self.last) - self.first) / (self.last - self.first), 2)


def plotted_day(
    day: date, events: Sequence[MonthEventResource], scale: DayScale, zone: ZoneInfo
) -> dict[str, object]:
    """``events`` as rectangles, and ``twice``: where more than one of them counts."""
    placed = [(event, *_hours_of(event.start, event.end, day, zone)) for event in events]
    placed.sort(key=lambda each: (each[1], -each[2]))
    drawn: list[dict[str, object]] = []
    for component in _components(placed):
        lanes = _lanes(component)
        width = _WIDTH / (max(lanes) + 1)
        for (event, start, end), lane in zip(component, lanes, strict=True):
            y = scale.y(start)
            drawn.append(
                {
                    "kind": _kind(event),
                    "x": round(lane * width, 2),
                    "width": round(width, 2),
                    "y": y,
                    "height": round(max(scale.y(end) - y, _THIN), 2),
                    "title": _title(event, zone),
                }
            )
    return {"events": drawn, "twice": list(_twice(placed, scale))}


def _components(
    placed: Sequence[tuple[MonthEventResource, float, float]],
) -> list[list[tuple[MonthEventResource, float, float]]]:
    found: list[list[tuple[MonthEventResource, float, float]]] = []
    until = -1.0
    for each in placed:
        if not found or each[1] >= until:
            found.append([])
            until = -1.0
        found[-1].append(each)
        until = max(until, each[2])
    return found


def _lanes(component: Sequence[tuple[MonthEventResource, float, float]]) -> list[int]:
    ends: list[float] = []
    lanes = []
    for _, start, end in component:
        lane = next((number for number, free in enumerate(ends) if free <= start), len(ends))
        ends[lane:] = [end, *ends[lane + 1 :]]
        lanes.append(lane)
    return lanes


def _twice(
    placed: Sequence[tuple[MonthEventResource, float, float]], scale: DayScale
) -> Iterable[dict[str, float]]:
    """The ranges that more than one counting event covers."""
    covered = begun = -1.0
    stretches: list[tuple[float, float]] = []
    for event, start, end in placed:
        if not event.counts:
            continue
        if start < covered:
            first, last = start, min(end, covered)
            if stretches and first <= stretches[-1][1]:
                begun = stretches.pop()[0]
                first, last = begun, max(last, first)
            stretches.append((first, last))
        covered = max(covered, end)
    for first, last in stretches:
        y = scale.y(first)
        yield {"y": y, "height": round(max(scale.y(last) - y, _THIN), 2)}


def _hours_of(start: datetime, end: datetime, day: date, zone: ZoneInfo) -> tuple[float, float]:
    """Wall-clock hours of the day. An event that ends on a later day ends with this day."""
    first, last = start.astimezone(zone), end.astimezone(zone)
    begin = 0.0 if first.date() < day else first.hour + first.minute / 60
    until = 24.0 if last.date() > day else last.hour + last.minute / 60
    return begin, max(until, begin)


def _kind(event: MonthEventResource) -> str:
    if not event.counts:
        return "open"
    if event.category_status is None:
        return "private"
    if event.billing_type is not None:
        return event.billing_type.replace("-", "_")
    return "ambiguous" if event.category_status is CategoryState.AMBIGUOUS else "without_category"


def _title(event: MonthEventResource, zone: ZoneInfo) -> str:
    start, end = event.start.astimezone(zone), event.end.astimezone(zone)
    about = event.customer or ", ".join(event.categories)
    return f"{start:%H:%M}–{end:%H:%M} {event.subject}" + (f" ({about})" if about else "")

"""What became of every VEVENT of a file: each is in exactly one of five, and nothing is silent."""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Any

from infra.local.graph_simulator.loading.text import Component
from infra.local.graph_simulator.loading.values import moment_of, text_of

type Json = dict[str, Any]


class Fate(StrEnum):
    """What became of a VEVENT."""

    LOADED = "loaded"
    OUTSIDE = "outside_range"
    UNREPRESENTABLE = "unrepresentable"
    OLDER = "older_version"
    LEFT = "left_to_another"


class Account:
    """Keeps the fate of each VEVENT, the first one told, and notes on what was read differently."""

    def __init__(self) -> None:
        self._events: dict[int, Component] = {}
        self._fates: dict[int, tuple[Fate, str, date | None]] = {}
        self._notes: dict[tuple[int, str], Json] = {}

    def expect(self, event: Component) -> None:
        """A VEVENT of the file; its fate must be told."""
        self._events[id(event)] = event

    def tell(self, event: Component, fate: Fate, reason: str = "", day: date | None = None) -> None:
        """The fate of a VEVENT; ``day`` is the date of one outside the range."""
        self._fates.setdefault(id(event), (fate, reason, day))

    def note(self, event: Component, reason: str, *, technical: bool = False) -> None:
        """What was read otherwise than it is written, once; ``technical``: dates and hours are as written."""
        told = described(event, reason) | {"technical": technical}
        self._notes.setdefault((id(event), reason), told)

    def fate(self, event: Component) -> Fate | None:
        """What became of a VEVENT, if it was told."""
        found = self._fates.get(id(event))
        return found[0] if found else None

    def as_json(self, first: date) -> Json:
        """Numbers and lists for the report; ``first`` is the first day of the range."""
        for key, event in self._events.items():
            if key not in self._fates:
                self.tell(event, Fate.UNREPRESENTABLE, "none of its dates takes place")
        counted = Counter(fate for fate, _, _ in self._fates.values())
        return {
            "entries": {
                "total": len(self._events),
                **{fate.value: counted[fate] for fate in Fate},
            },
            "outside_range": self._outside(first),
            "unrepresentable": self._listed(Fate.UNREPRESENTABLE),
            "older_versions": self._listed(Fate.OLDER),
            "left_to_another": self._listed(Fate.LEFT),
            "notes": list(self._notes.values()),
        }

    def _listed(self, wanted: Fate) -> list[Json]:
        return [
            described(self._events[key], reason)
            for key, (fate, reason, _) in sorted(self._fates.items(), key=lambda item: self._place(item[0]))
            if fate is wanted
        ]

    def _place(self, key: int) -> tuple[str, int]:
        event = self._events[key]
        return event.file, event.line

    def _outside(self, first: date) -> Json:
        days = [day for fate, _, day in self._fates.values() if fate is Fate.OUTSIDE and day is not None]
        return {
            "count": sum(fate is Fate.OUTSIDE for fate, _, _ in self._fates.values()),
            "before": _span(day for day in days if day < first),
            "after": _span(day for day in days if day >= first),
        }


def _span(days: Iterable[date]) -> Json | None:
    found = sorted(days)
    if not found:
        return None
    return {"count": len(found), "first": found[0].isoformat(), "last": found[-1].isoformat()}


def described(component: Component, reason: str) -> Json:
    """A component for a list: what it is, when, where it stands, and the reason."""
    return {
        "uid": text_of(component.value("UID") or component.value("TZID")),
        "summary": text_of(component.value("SUMMARY")),
        "start": _start(component),
        "file": component.file,
        "line": component.line,
        "reason": reason,
    }


def _start(component: Component) -> str:
    """Date and time as written, ``2026-03-02 09:00``; what cannot be read stays as it is."""
    found = component.first("DTSTART")
    if found is None:
        return ""
    try:
        moment = moment_of(found.value, found.params)
    except ValueError:
        return found.value.strip()[:40]
    zone = " UTC" if moment.utc else f" {moment.tzid}" if moment.tzid else ""
    return f"{moment.wall:%Y-%m-%d}" if moment.is_date else f"{moment.wall:%Y-%m-%d %H:%M}{zone}"

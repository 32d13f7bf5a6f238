"""A mailbox of the demonstration tenant that is no user yet: for the tutorial (docs/tutorial.md)."""

from datetime import date
from typing import Any

from infra.local.demonstration.events import at, timed
from infra.local.demonstration.mailbox import DemoMailbox

ADDRESS = "nora.berg@example.com"
_ZONE = "W. Europe Standard Time"
#: A week that every demonstration lies behind.
_MONDAY, _TUESDAY, _WEDNESDAY, _THURSDAY = (date(2026, 1, day) for day in (12, 13, 14, 15))


def newcomer() -> DemoMailbox:
    """Four days of ordinary work: two meetings at the same time, and one without a category."""
    events = [
        _event("Planning", _MONDAY, 9, 60, "Acme - billable"),
        _event("Workshop", _TUESDAY, 10, 120, "Acme - billable"),
        _event("Interview", _TUESDAY, 11, 30, "Admin - non-billable"),
        _event("Review", _WEDNESDAY, 14, 60, "Northwind - billable"),
        _event("Report writing", _THURSDAY, 9, 90),
    ]
    return DemoMailbox(ADDRESS, "Nora Berg", "Europe/Vienna", _MONDAY, events, archives=())


def _event(subject: str, day: date, hour: int, minutes: int, *categories: str) -> dict[str, Any]:
    return timed(subject, at(day, hour), minutes, _ZONE, categories=list(categories))

"""Who sees what of a person's private events (domain.md 6.3). It is decided here and nowhere else.

An event is another person's by the mailbox it comes from, not by whose configuration archived it. Whoever may
not see it gets one uniform line: its times and "Private". SQL says the same in
``shared.database.repositories.identity.disclosure``.
"""

import hashlib
from collections.abc import Collection, Mapping
from copy import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from shared.domain.events.source_event import SourceEvent

#: What others read in place of anything that a private event says.
PRIVATE: Final = "Private"
#: The only sensitivity that others see more of than the times.
NORMAL: Final = "normal"
#: The sensitivity of every masked event, whichever it had.
MASKED_SENSITIVITY: Final = "private"
_ZONE: Final = "UTC"


def is_disclosed(
    sensitivity: str | None,
    *,
    origin: UUID | None,
    viewer: UUID | None,
    opened: Collection[UUID] = (),
) -> bool:
    """Whether ``viewer`` sees more of an event than its times.

    ``origin`` is the object id of the person whose event it is, ``viewer`` that of the signed-in person, None
    for an application. ``opened`` are the people whose private events an emergency access opens to the
    viewer. What nothing is known of is not shown.
    """
    return sensitivity == NORMAL or (origin is not None and (origin == viewer or origin in opened))


def uniform_line(start: datetime, end: datetime, *, is_all_day: bool) -> dict[str, Any]:
    """What others get of a private event, by the public names of an event's fields.

    It depends on the times alone, so no setting and no rule can serve to guess a word of the event.
    """
    return {
        "subject": PRIVATE,
        "start": start,
        "end": end,
        "start_zone": _ZONE,
        "end_zone": _ZONE,
        "is_all_day": is_all_day,
        "location": "",
        "categories": [],
        "show_as": "busy",
        "importance": "normal",
        "sensitivity": MASKED_SENSITIVITY,
    }


def masked_event(event: SourceEvent) -> SourceEvent:
    """A private event as others read it from its calendar: its times, its identity, and "Private".

    A normal event stays as it is. The identity is what finds the event again (2.3); it says nothing of it.
    """
    if event.sensitivity == NORMAL:
        return event
    return replace(
        event,
        # Equal still where it was equal, so that a meeting keeps its copy (2.16), and known to nobody.
        ical_uid=hashlib.sha256(event.ical_uid.encode()).hexdigest() if event.ical_uid else "",
        subject=PRIVATE,
        body="",
        body_type="text",
        start_zone=_ZONE,
        end_zone=_ZONE,
        location="",
        categories=(),
        show_as="busy",
        importance="normal",
        sensitivity=MASKED_SENSITIVITY,
        is_cancelled=False,
        is_declined=False,
        has_attachments=False,
        organizer=None,
        attendees=(),
        masked=True,
    )


#: What a report counts that depends on the words of events, private ones among them.
_TOLD_BY_WORDS: Final = (
    *("overlaps_resolved", "overlaps_flagged", "overlaps_recorded"),
    *("modifications_applied", "orphan_modifications", "category_issues", "new_category_issues"),
    *("repointed", "ambiguous", "superseded", "series_questions", "margin_updates"),
)
#: What each write costs. In a timesheet it would show which private events were written.
COST: Final = ("graph_requests", "round_trips", "seconds")
#: What a stored report says for these rules alone.
_KEPT_FOR_US: Final = ("private_outcomes", "cost_tells")


def report_for_others(report: Mapping[str, Any]) -> dict[str, Any]:
    """A run's report as others than the person read see it: private events are one number, ``private``.

    They are taken out of every outcome, and ``source`` still adds up. Numbers that private events have a part
    in, and that cannot be told apart, are left out where there are any.
    """
    shown = _one_number(report, "private_outcomes")
    if cost_tells(report):
        shown = {name: value for name, value in shown.items() if name not in COST}
    return {name: value for name, value in shown.items() if name not in _KEPT_FOR_US}


def cost_tells(report: Mapping[str, Any]) -> bool:
    """Whether the cost of a run would tell others which private events it wrote."""
    return bool(report.get("private_outcomes")) and bool(report.get("cost_tells", True))


def plan_for_others(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The counts of a plan likewise; ``plan["private"]`` says how many of each are private events."""
    return _one_number(plan, "private")


def report_for_owner(report: Mapping[str, Any]) -> dict[str, Any]:
    """A run's report as the person whose events it is about sees it."""
    return {name: value for name, value in report.items() if name not in _KEPT_FOR_US}


def _one_number(counts: Mapping[str, Any], by_name: str) -> dict[str, Any]:
    private: Mapping[str, int] = counts.get(by_name) or {}
    shown = {name: value for name, value in counts.items() if name != by_name}
    for name, count in private.items():
        shown[name] = shown.get(name, 0) - count
    shown["private"] = sum(private.values())
    return {name: value for name, value in shown.items() if not (private and name in _TOLD_BY_WORDS)}

"""Who may see what of a person's private events (domain.md 6.3). Only this module decides it.

An event belongs to the person of the mailbox it comes from, not to the owner of the configuration. Everyone
who may not see it gets one uniform line: its times and "Private".
``shared.database.repositories.identity.disclosure`` has the same rule in SQL.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from copy import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import UUID

from shared.domain.json_object import JsonObject

if TYPE_CHECKING:
    # A worker that only answers reads never loads it.
    from shared.domain.events.source_event import SourceEvent

#: Replaces all text of a private event for other people.
PRIVATE: Final = "Private"
#: The only sensitivity of which others see more than the times.
NORMAL: Final = "normal"
#: The sensitivity of every masked event, whatever its original one.
MASKED_SENSITIVITY: Final = "private"
#: The content that replaces that of a private event, except its times.
MASKED_CONTENT: Final[Mapping[str, Any]] = {
    "subject": PRIVATE,
    "body": "",
    "body_type": "text",
    "start_zone": "UTC",
    "end_zone": "UTC",
    "location": "",
    "categories": (),
    "show_as": "busy",
    "importance": "normal",
    "sensitivity": MASKED_SENSITIVITY,
}


def is_disclosed(
    sensitivity: str | None,
    *,
    origin: UUID | None,
    viewer: UUID | None,
    opened: Collection[UUID] = (),
) -> bool:
    """Whether ``viewer`` may see more of an event than its times.

    ``origin`` is the object id of the event's person. ``viewer`` is the signed-in person, None for an
    application. ``opened`` are people whose private events an emergency access opens to the viewer. If
    nothing is known, the answer is no.
    """
    return sensitivity == NORMAL or (origin is not None and (origin == viewer or origin in opened))


class RecordedSensitivity(Protocol):
    """The record of an event, as far as its disclosure goes."""

    @property
    def sensitivity(self) -> str:
        """Of the event."""


class RecordedEvent(Protocol):
    """An event of an overlap or an action item. ``event`` is its record, None if nothing is known."""

    @property
    def origin_mailbox_id(self) -> UUID | None:
        """The object id of the event's person."""

    @property
    def event(self) -> RecordedSensitivity | None:
        """What is recorded about it."""


def is_record_disclosed(content: RecordedEvent, viewer: UUID | None, opened: Collection[UUID] = ()) -> bool:
    """``is_disclosed`` for a recorded event."""
    sensitivity = content.event.sensitivity if content.event else None
    return is_disclosed(sensitivity, origin=content.origin_mailbox_id, viewer=viewer, opened=opened)


def opened_by_access(contents: Iterable[RecordedEvent], viewer: UUID | None, opened: Collection[UUID]) -> int:
    """How many of the events only an emergency access shows."""
    return sum(
        is_record_disclosed(each, viewer, opened) and not is_record_disclosed(each, viewer)
        for each in contents
    )


def uniform_line(start: datetime, end: datetime, *, is_all_day: bool) -> JsonObject:
    """What others get of a private event, by public field names.

    It depends only on the times, so no setting or rule can reveal a word of the event.
    """
    told = {name: value for name, value in MASKED_CONTENT.items() if name not in ("body", "body_type")}
    return {**told, "categories": [], "start": start, "end": end, "is_all_day": is_all_day}


def masked_event(event: "SourceEvent") -> "SourceEvent":
    """A private event as others read it: its times, its identity and "Private".

    A normal event stays unchanged. The identity is needed to find the event again (2.3) and reveals nothing.
    """
    if event.sensitivity == NORMAL:
        return event
    return replace(
        event,
        # Still equal for equal subjects, so a meeting keeps its copy (2.16), but unreadable.
        ical_uid=hashlib.sha256(event.ical_uid.encode()).hexdigest() if event.ical_uid else "",
        **MASKED_CONTENT,
        is_cancelled=False,
        is_declined=False,
        has_attachments=False,
        organizer=None,
        attendees=(),
        masked=True,
    )


#: Counts of a report that depend on the words of events, including private ones.
_TOLD_BY_WORDS: Final = (
    *("overlaps_resolved", "overlaps_flagged", "overlaps_recorded"),
    *("modifications_applied", "orphan_modifications", "category_issues", "new_category_issues"),
    *("repointed", "ambiguous", "superseded", "series_questions", "margin_updates"),
)
#: The cost of writes. In a timesheet it would reveal which private events were written.
COST: Final = ("graph_requests", "round_trips", "seconds")
#: Stored in a report only for these rules.
_KEPT_FOR_US: Final = ("private_outcomes", "cost_tells")


def report_for_others(report: JsonObject) -> JsonObject:
    """A run's report for other people: private events are one number, ``private``.

    They are subtracted from every outcome, and ``source`` still adds up. Numbers that include private events
    and cannot be separated are left out if there are any private events.
    """
    shown = _one_number(report, "private_outcomes")
    if cost_tells(report):
        shown = {name: value for name, value in shown.items() if name not in COST}
    return {name: value for name, value in shown.items() if name not in _KEPT_FOR_US}


def cost_tells(report: JsonObject) -> bool:
    """Whether the cost of a run would reveal to others which private events it wrote."""
    return bool(report.get("private_outcomes")) and bool(report.get("cost_tells", True))


def plan_for_others(plan: JsonObject) -> JsonObject:
    """The counts of a plan for other people. ``plan["private"]`` has the private events in each count."""
    return _one_number(plan, "private")


def report_for_owner(report: JsonObject) -> JsonObject:
    """A run's report for the person whose events it is about."""
    return {name: value for name, value in report.items() if name not in _KEPT_FOR_US}


def _one_number(counts: JsonObject, by_name: str) -> JsonObject:
    private: Mapping[str, int] = counts.get(by_name) or {}
    shown = {name: value for name, value in counts.items() if name != by_name}
    for name, count in private.items():
        shown[name] = shown.get(name, 0) - count
    shown["private"] = sum(private.values())
    return {name: value for name, value in shown.items() if not (private and name in _TOLD_BY_WORDS)}

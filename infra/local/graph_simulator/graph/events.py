"""Creating, changing and deleting events, as the owner and through Graph alike."""

from dataclasses import replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from infra.local.graph_simulator.behaviour.counters import Counters
from infra.local.graph_simulator.behaviour.settings import Settings
from infra.local.graph_simulator.graph.event_fields import NEVER, Changes
from infra.local.graph_simulator.graph.series_changes import change_series
from infra.local.graph_simulator.state.model import Calendar, Event, Item, Json, Occurrence, Override, Stamp
from infra.local.graph_simulator.state.state import State
from infra.local.graph_simulator.values import ids
from infra.local.graph_simulator.values.errors import GraphError, invalid_value
from infra.local.graph_simulator.values.recurrence import Recurrence, parse_recurrence
from infra.local.graph_simulator.values.times import Span, make_span, moment_of, require_zone, wall_text

#: Changes of these fields alone are the owner's business: attendees are told nothing.
_PERSONAL = frozenset({"categories", "showAs", "isReminderOn", "reminderMinutesBeforeStart", "sensitivity"})
_CROSSING = GraphError(
    400,
    "ErrorOccurrenceCrossingBoundary",
    "Modified occurrence is crossing or overlapping adjacent occurrence.",
)


class EventStore:
    """The writes on events: validates what needs the whole event and keeps series consistent."""

    def __init__(self, state: State, settings: Settings, counters: Counters) -> None:
        self._state = state
        self._settings = settings
        self._counters = counters

    def create(self, calendar: Calendar, changes: Changes) -> Event:
        """Create an event; the caller has dealt with a remembered transactionId. Raises 400 as Graph does."""
        if changes.start is None or changes.end is None:
            raise invalid_value("start and end are required.")
        span = make_span(changes.start, changes.end, all_day=bool(changes.all_day))
        recurrence = _series(changes.recurrence, span) if changes.recurrence is not None else None
        event = Event(calendar, ids.new_key(), span, _new_fields(calendar, changes.fields))
        event.recurrence = recurrence
        event.extended.update(changes.extended)
        event.transaction_id = changes.transaction_id
        event.ical_uid = new_ical_uid()
        _meet_online(event.fields, {})
        self._state.add(event)
        if changes.transaction_id:
            self._state.remember(event, changes.transaction_id)
        attendees = event.fields["attendees"]
        if attendees:
            self._counters.mail(calendar.mailbox.address, invitations=len(attendees))
        return event

    def update(self, item: Item, changes: Changes) -> Item:
        """Apply a PATCH to an event, a series master or one occurrence; gives the item as it is then."""
        before = item.fields["attendees"]
        if isinstance(item, Occurrence):
            self._update_occurrence(item, changes)
        else:
            self._update_event(item.master, changes)
        event = item.master
        self._renew(event)
        self._state.touch(event)
        after = event if item.day is None else event.occurrence(item.day)
        told = {person["emailAddress"]["address"] for person in (*before, *after.fields["attendees"])}
        public = changes.moves or changes.has_recurrence or not changes.fields.keys() <= _PERSONAL
        if told and public and event.fields["isOrganizer"]:
            self._counters.mail(event.calendar.mailbox.address, updates=len(told))
        return after

    def delete(self, item: Item) -> None:
        """Delete an event or cancel one occurrence; the organizer's meetings send cancellations."""
        attendees = item.fields["attendees"]
        event = item.master
        if item.day is not None:
            event.overrides.pop(item.day, None)
            event.cancelled.add(item.day)
            self._renew(event)
            self._state.touch(event)
        elif self._settings.deleted_items == "found" and not event.is_deleted:
            self._state.discard(event)
        else:
            self._state.remove(event)
        if attendees and event.fields["isOrganizer"]:
            self._counters.mail(event.calendar.mailbox.address, updates=len(attendees))

    def _update_event(self, event: Event, changes: Changes) -> None:
        span = _changed_span(event.span, changes)
        recurrence = event.recurrence
        if changes.has_recurrence:
            recurrence = None if changes.recurrence is None else _series(changes.recurrence, span)
        elif recurrence is not None and span.start.date() != event.span.start.date():
            recurrence = replace(recurrence, start=span.start.date())
            if recurrence.end is not None and recurrence.end < recurrence.start:
                raise invalid_value("The recurrence range ends before it starts.")
        change_series(event, span, recurrence, self._settings)
        event.fields.update(changes.fields)
        _meet_online(event.fields, changes.fields)
        event.extended.update(changes.extended)

    def _update_occurrence(self, occurrence: Occurrence, changes: Changes) -> None:
        if changes.has_recurrence:
            raise invalid_value("recurrence cannot be set on an occurrence.")
        event, day = occurrence.master, occurrence.original_day
        override = event.overrides.get(day)
        span = occurrence.span
        if changes.moves:
            span = _changed_span(span, changes)
            self._check_neighbours(event, day, span)
        if override is None:
            override = event.overrides[day] = Override(stamp=Stamp(created=event.stamp.created))
            if self._settings.exception_texts == "snapshot":
                override.fields.update(event.fields)
        if changes.moves:
            override.span = span
        override.fields.update(changes.fields)
        override.extended.update(changes.extended)
        override.stamp.renew()

    def _check_neighbours(self, event: Event, day: int, span: Span) -> None:
        """Refuse a move to or across the occurrence before or after it: ErrorOccurrenceCrossingBoundary.

        An occurrence cannot be moved to or before the day of the previous one. Nor can it be moved to or
        after the day of the next one. (Graph documentation, Update event. Outlook says the same about all its
        clients.)
        """
        boundary = self._settings.occurrence_boundary
        if boundary == "off":
            return
        dates = event.dates_until(day + 1)
        place = dates.index(day)
        earlier = next((other for other in reversed(dates[:place]) if other not in event.cancelled), None)
        following = next(
            (other for other in event.dates_until(day + 800)[place + 1 :] if other not in event.cancelled),
            None,
        )
        zone = require_zone(event.span.start_zone)
        starts = _local_date(span, zone)
        if earlier is not None:
            before = event.occurrence(earlier).span
            too_near = boundary == "day" and starts <= _local_date(before, zone)
            if span.start_us < before.end_us or too_near:
                raise _CROSSING
        if following is not None:
            after = event.occurrence(following).span
            too_near = boundary == "day" and starts >= _local_date(after, zone)
            if span.end_us > after.start_us or too_near:
                raise _CROSSING

    def _renew(self, event: Event) -> None:
        """New change keys after a change of a series or of one of its occurrences.

        A series and its occurrences have one change key (EWS documentation, OccurrenceItemId).
        """
        event.stamp.renew()
        if self._settings.series_change_keys == "shared":
            for override in event.overrides.values():
                override.stamp.change_key = event.stamp.change_key


def _series(value: Any, span: Span) -> Recurrence:
    recurrence = parse_recurrence(value, span.start.date())
    if recurrence.zone is not None:
        require_zone(recurrence.zone)
    return recurrence


def _changed_span(span: Span, changes: Changes) -> Span:
    if not changes.moves:
        return span
    all_day = span.all_day if changes.all_day is None else changes.all_day
    start = changes.start or {"dateTime": wall_text(span.start), "timeZone": span.start_zone}
    end = changes.end or {"dateTime": wall_text(span.end), "timeZone": span.end_zone}
    return make_span(start, end, all_day=all_day)


def _local_date(span: Span, zone: ZoneInfo) -> date:
    return span.start.date() if span.all_day else moment_of(span.start_us).astimezone(zone).date()


def new_ical_uid() -> str:
    """A global object id in hex, as Exchange makes it."""
    head, middle = "040000008200E00074C5B7101A82E00800000000", "000000000000000010000000"
    return f"{head}{ids.random_bytes(8).hex().upper()}{middle}{ids.random_bytes(16).hex().upper()}"


def _new_fields(calendar: Calendar, given: Json) -> Json:
    mailbox = calendar.mailbox
    fields: Json = {
        "categories": [],
        "reminderMinutesBeforeStart": 15,
        "isReminderOn": True,
        "subject": "",
        "importance": "normal",
        "sensitivity": "normal",
        "isCancelled": False,
        "isOrganizer": True,
        "responseRequested": True,
        "showAs": "busy",
        "onlineMeetingUrl": None,
        "isOnlineMeeting": False,
        "onlineMeetingProvider": "unknown",
        "allowNewTimeProposals": True,
        "isDraft": False,
        "hideAttendees": False,
        "responseStatus": {"response": "organizer", "time": NEVER},
        "body": {"contentType": "html", "content": ""},
        "location": {"displayName": "", "locationType": "default", "uniqueIdType": "unknown", "address": {}},
        "locations": [],
        "attendees": [],
        "organizer": {"emailAddress": {"name": mailbox.display_name, "address": mailbox.address}},
        "onlineMeeting": None,
    }
    fields.update(given)
    return fields


def _meet_online(fields: Json, changed: Json) -> None:
    """Give an online meeting its link; once made it stays one (Graph documentation, isOnlineMeeting)."""
    if fields["onlineMeeting"] is not None:
        if changed.get("isOnlineMeeting") is False:
            fields["isOnlineMeeting"] = True
        return
    if fields["isOnlineMeeting"]:
        if fields["onlineMeetingProvider"] == "unknown":
            fields["onlineMeetingProvider"] = "teamsForBusiness"
        link = f"https://teams.microsoft.com/l/meetup-join/19%3ameeting_{ids.random_bytes(12).hex()}%40thread.v2/0"
        fields["onlineMeeting"] = {"joinUrl": link}


def original_day(event: Event, text: str) -> int:
    """The date an ``originalStart`` names: an instant with ``Z``, a local time or a plain date of the series.

    Raises ``ValueError`` if the series has no occurrence there.
    """
    if text.endswith("Z") or "+" in text[10:]:
        instant = text.split(".")[0].rstrip("Z")
        guess = date.fromisoformat(instant[:10]).toordinal()
        for day in (guess, guess + 1, guess - 1):
            if event.original_start(day).replace(tzinfo=None).isoformat() == instant:
                return day
        raise ValueError(f"no occurrence starts at {text}")
    return date.fromisoformat(text[:10]).toordinal()

"""Loads mailboxes from JSON: Graph-shaped events, series with exceptions and cancelled occurrences.

Loading the same again adds nothing. Every loaded event is remembered by a fingerprint of its JSON, also after
its deletion. Identical events of one load are distinguished by their number.
"""

import hashlib
from collections import Counter as Multiset
from collections.abc import Callable
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson

from infra.local.graph_simulator.behaviour.counters import Counters
from infra.local.graph_simulator.behaviour.settings import Settings
from infra.local.graph_simulator.graph.event_fields import NEVER, email_address, read_event
from infra.local.graph_simulator.graph.events import EventStore, original_day
from infra.local.graph_simulator.state.model import Calendar, Event, Json, Mailbox, Occurrence, Override
from infra.local.graph_simulator.state.state import State
from infra.local.graph_simulator.values.errors import GraphError, LoadError
from infra.local.graph_simulator.values.zones import find_zone

#: Computed by the simulator; accepted in a load, so that Graph's own JSON loads, and ignored.
_IGNORED = frozenset(
    [
        "id",
        "changeKey",
        "type",
        "webLink",
        "bodyPreview",
        "seriesMasterId",
        "originalStart",
        "occurrenceId",
        "hasAttachments",
        "onlineMeetingUrl",
        "isDraft",
    ]
)
#: Read-only for clients, settable here.
_DIRECT = ("isCancelled", "isOrganizer", "responseStatus", "onlineMeeting")
_MAILBOX_MEMBERS = frozenset(
    {"address", "oid", "display_name", "time_zone", "enabled", "user_type", "purpose", "calendars"}
)
_USER_TYPES = ("Member", "Guest")
_PURPOSES = ("user", "linked", "shared", "room", "equipment", "others")
_CALENDAR_MEMBERS = frozenset({"name", "is_default", "events"})


type Refuse = Callable[[Json, GraphError | LoadError], None]


class Loader:
    """Puts mailboxes, calendars and events into the state."""

    def __init__(self, state: State, settings: Settings) -> None:
        self._state = state
        self._settings = settings
        # A load sends no mail: what it would count is thrown away.
        self.store = EventStore(state, settings, Counters())

    def load_mailbox(self, wish: Any) -> Json:
        """Create or update a mailbox by address and load its calendars; raises ``LoadError``."""
        if not isinstance(wish, dict) or not isinstance(wish.get("address"), str):
            raise LoadError("a mailbox needs an address")
        _check_members(wish, _MAILBOX_MEMBERS, wish["address"])
        mailbox = self._mailbox(wish)
        summary = []
        for entry in wish.get("calendars") or []:
            if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
                raise LoadError(f"{mailbox.address}: a calendar needs a name")
            _check_members(entry, _CALENDAR_MEMBERS, f"{mailbox.address}/{entry['name']}")
            calendar = self.calendar(mailbox, entry["name"], is_default=bool(entry.get("is_default")))
            loaded = self.load_events(calendar, entry.get("events") or [])
            summary.append(
                {"name": calendar.name, "id": calendar.id, "loaded": loaded, "events": len(calendar.events)}
            )
        if not any(calendar.is_default for calendar in mailbox.calendars.values()):
            self.calendar(mailbox, "Calendar", is_default=True)
        return {"address": mailbox.address, "oid": mailbox.oid, "calendars": summary}

    def calendar(self, mailbox: Mailbox, name: str, *, is_default: bool = False) -> Calendar:
        """The calendar of a name (any case), created if absent."""
        folded = name.casefold()
        for calendar in mailbox.calendars.values():
            if calendar.name.casefold() == folded:
                return calendar
        if is_default and any(calendar.is_default for calendar in mailbox.calendars.values()):
            raise LoadError(f"{mailbox.address} already has a default calendar")
        return self._state.add_calendar(mailbox, name, is_default=is_default)

    def load_events(self, calendar: Calendar, entries: list[Json]) -> int:
        """Load those events that were not loaded before; gives their number; raises ``LoadError``."""

        def refuse(entry: Json, error: GraphError | LoadError) -> None:
            where = f"{calendar.mailbox.address}/{calendar.name} event {entry.get('subject')!r}"
            raise LoadError(f"{where}: {error}") from None

        return self.load_all(calendar, entries, refuse)[0]

    def load_all(self, calendar: Calendar, entries: list[Json], refuse: Refuse) -> tuple[int, set[str]]:
        """Load what is new, leaving refusals to ``refuse``; gives the number and the fingerprints of all."""
        seen: Multiset[str] = Multiset()
        fingerprints: set[str] = set()
        loaded = 0
        for entry in entries:
            if not isinstance(entry, dict):
                raise LoadError(f"{calendar.mailbox.address}/{calendar.name}: an event must be an object")
            digest = hashlib.sha256(orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
            seen[digest] += 1
            fingerprint = f"{digest}.{seen[digest]}"
            fingerprints.add(fingerprint)
            if fingerprint in calendar.loaded:
                continue
            try:
                event = self.load_event(calendar, entry)
            except (GraphError, LoadError) as error:
                refuse(entry, error)
                continue
            event.load_key = fingerprint
            calendar.loaded.add(fingerprint)
            loaded += 1
        if loaded:
            self._state.touch_mailbox(calendar.mailbox)
        return loaded, fingerprints

    def scratch_event(self, calendar: Calendar, entry: Json) -> tuple["Loader", Event]:
        """A series like the entry that is stored nowhere, and what to try exceptions on it with.

        Raises as ``load_event``. With this loader a try would be saved among the events of the mailbox.
        """
        mailbox = Mailbox(calendar.mailbox.oid, calendar.mailbox.address, calendar.mailbox.display_name)
        scratch = Loader(State(), self._settings)
        return scratch, scratch.load_event(scratch.calendar(mailbox, "scratch"), entry)

    def load_event(self, calendar: Calendar, entry: Json) -> Event:
        """Create one event with everything only its owner or Exchange could set; raises ``GraphError``."""
        body, extra = _split(entry)
        changes = read_event(body, creating=True, wrap_bodies=self._settings.normalise_bodies)
        event = self.store.create(calendar, changes)
        try:
            _apply_extra(event, extra)
            for original in extra.get("cancelledOccurrences") or []:
                event.cancelled.add(_day(event, original))
            for exception in extra.get("exceptions") or []:
                self.load_exception(event, exception)
        except (GraphError, LoadError):
            self._state.remove(event)
            raise
        self._state.touch(event)
        return event

    def owner_edit(self, event_fields: Json, item: Event | Occurrence) -> None:
        """Set what a client may not: cancellation, response and the like, on an event or one occurrence."""
        if isinstance(item, Occurrence):
            override = item.master.overrides.setdefault(item.original_day, Override())
            _apply_direct(override.fields, event_fields)
            override.stamp.renew()
        else:
            _apply_extra(item, event_fields)
        item.master.stamp.renew()
        self._state.touch(item.master)

    def load_exception(self, event: Event, exception: Any) -> None:
        """Change one occurrence of a series; raises ``GraphError`` or ``LoadError``."""
        if not isinstance(exception, dict):
            raise LoadError("an exception must be an object")
        day = _day(event, exception.get("originalStart"))
        body, extra = _split({name: value for name, value in exception.items() if name != "originalStart"})
        changes = read_event(body, creating=False, wrap_bodies=self._settings.normalise_bodies)
        self.store.update(event.occurrence(day), changes)
        override = event.overrides[day]
        _apply_direct(override.fields, extra)
        if "attachments" in extra:
            override.attachments = int(extra["attachments"])
        event.forget()

    def _mailbox(self, wish: Json) -> Mailbox:
        address = wish["address"]
        zone = wish.get("time_zone")
        if zone is not None and (not isinstance(zone, str) or find_zone(zone) is None):
            raise LoadError(f"{address}: unknown time zone {zone!r}")
        mailbox = self._state.find_mailbox(address)
        if mailbox is None:
            oid = str(wish.get("oid") or uuid5(NAMESPACE_URL, f"mailto:{address.casefold()}"))
            if self._state.find_mailbox(oid) is not None:
                raise LoadError(f"{address}: object id {oid} belongs to another mailbox")
            mailbox = Mailbox(oid, address, address)
        elif wish.get("oid") and wish["oid"] != mailbox.oid:
            raise LoadError(f"{address}: the object id of a mailbox cannot change")
        mailbox.display_name = wish.get("display_name") or mailbox.display_name
        mailbox.time_zone = zone or mailbox.time_zone
        mailbox.enabled = wish.get("enabled", mailbox.enabled)
        mailbox.user_type = wish.get("user_type", mailbox.user_type)
        if mailbox.user_type not in _USER_TYPES:
            raise LoadError(f"{address}: user_type is one of {', '.join(_USER_TYPES)}")
        mailbox.purpose = wish.get("purpose", mailbox.purpose)
        if mailbox.purpose not in _PURPOSES:
            raise LoadError(f"{address}: purpose is one of {', '.join(_PURPOSES)}")
        self._state.add_mailbox(mailbox)
        return mailbox


def _split(entry: Json) -> tuple[Json, Json]:
    """What a client could post, and the rest."""
    body: Json = {}
    extra: Json = {}
    for name, value in entry.items():
        if name in EXTRA:
            extra[name] = value
        elif name not in _IGNORED:
            body[name] = value
    return body, extra


EXTRA = frozenset(
    {
        *_DIRECT,
        "organizer",
        "iCalUId",
        "createdDateTime",
        "lastModifiedDateTime",
        "originalStartTimeZone",
        "originalEndTimeZone",
        "attachments",
        "exceptions",
        "cancelledOccurrences",
    }
)


def _apply_extra(event: Event, extra: Json) -> None:
    _apply_direct(event.fields, extra)
    if "attachments" in extra:
        event.attachments = int(extra["attachments"])
    if extra.get("iCalUId"):
        event.ical_uid = str(extra["iCalUId"])
    if extra.get("createdDateTime"):
        event.stamp.created = event.stamp.modified = str(extra["createdDateTime"])
    if extra.get("lastModifiedDateTime"):
        event.stamp.modified = str(extra["lastModifiedDateTime"])
    start, end = extra.get("originalStartTimeZone"), extra.get("originalEndTimeZone")
    if start or end:
        event.original_zones = (str(start or event.span.start_zone), str(end or event.span.end_zone))


def _apply_direct(fields: Json, extra: Json) -> None:
    """Set what clients may not; an organizer other than the owner makes the event an invitation."""
    organizer = extra.get("organizer")
    if organizer is not None:
        address = email_address(organizer.get("emailAddress") if isinstance(organizer, dict) else None)
        own = fields.get("organizer", {}).get("emailAddress", {}).get("address", "")
        fields["organizer"] = {"emailAddress": address}
        fields["isOrganizer"] = address["address"].casefold() == own.casefold()
        if not fields["isOrganizer"]:
            fields["responseStatus"] = {"response": "notResponded", "time": NEVER}
    for name in _DIRECT:
        if name in extra:
            fields[name] = extra[name]


def _day(event: Event, original: Any) -> int:
    if event.recurrence is None:
        raise LoadError("only a series has exceptions and cancelled occurrences")
    if isinstance(original, dict):
        original = original.get("dateTime")
    try:
        day = original_day(event, str(original))
    except ValueError as error:
        raise LoadError(f"originalStart {original!r}: {error}") from None
    if not event.has_date(day):
        raise LoadError(f"originalStart {original!r}: the series has no occurrence there")
    return day


def _check_members(wish: Json, known: frozenset[str], where: str) -> None:
    unknown = wish.keys() - known
    if unknown:
        raise LoadError(f"{where}: unknown member {min(unknown)!r}; known: {', '.join(sorted(known))}")

"""What people do in Outlook that Graph's documented API has no request for (docs/graph-series.md).

They move an event to another calendar, send an invitation again, change the organizer, or restore a deleted
event.
"""

import copy

from infra.local.graph_simulator.graph.event_fields import NEVER, email_address
from infra.local.graph_simulator.graph.events import new_ical_uid
from infra.local.graph_simulator.loading.mailboxes import Loader
from infra.local.graph_simulator.state.model import Event, Item, Json, Mailbox, Occurrence
from infra.local.graph_simulator.state.state import State
from infra.local.graph_simulator.values import ids


class OwnerActions:
    """Changes of one mailbox as its owner, or an organizer elsewhere, makes them; none sends mail."""

    def __init__(self, state: State, loader: Loader) -> None:
        self._state = state
        self._loader = loader

    def move(self, mailbox: Mailbox, item: Item, body: Json) -> Item:
        """Move an event or a whole series to a calendar, by name or id, created if absent.

        Immutable ids stay. An occurrence cannot be moved (EWS, OccurrenceItemId): ``ValueError``.
        """
        event = _stored(item, "moved to another calendar")
        wanted = body.get("calendar")
        if not isinstance(wanted, str) or not wanted.strip():
            raise ValueError("calendar: the name or id of a calendar is needed")
        target = mailbox.calendars.get(wanted) or self._loader.calendar(mailbox, wanted)
        self._state.move(event, target)
        return event

    def invite_again(self, item: Item, body: Json) -> Event:
        """Replace an event by the same invitation, sent again: another id, another ``iCalUId``.

        The new event has no categories, because those are the owner's, and no response. ``organizer`` names
        another one. ``keep_old`` leaves the old event where it is.
        """
        old = _stored(item, "invited to again")
        organizer = body.get("organizer")
        new = self._twin(old)
        new.fields["categories"] = []
        for override in new.overrides.values():
            override.fields.pop("categories", None)
        if organizer is not None:
            _organize(new, organizer)
        if not new.fields["isOrganizer"]:
            new.fields["responseStatus"] = {"response": "notResponded", "time": NEVER}
        if not body.get("keep_old"):
            self._loader.store.delete(old)
        self._state.add(new)
        return new

    def replace_organizer(self, item: Item, body: Json) -> Event:
        """Another organizer of the same event: id and ``iCalUId`` stay."""
        event = _stored(item, "given another organizer")
        _organize(event, body)
        event.stamp.renew()
        self._state.touch(event)
        return event

    def _twin(self, old: Event) -> Event:
        new = Event(old.calendar, ids.new_key(), old.span, copy.deepcopy(old.fields))
        new.recurrence = old.recurrence
        new.overrides = copy.deepcopy(old.overrides)
        new.cancelled = set(old.cancelled)
        new.attachments = old.attachments
        new.original_zones = old.original_zones
        new.ical_uid = new_ical_uid()
        return new


def _stored(item: Item, what: str) -> Event:
    if isinstance(item, Occurrence):
        raise ValueError(f"an occurrence cannot be {what}; name its series master")
    return item.master


def _organize(event: Event, organizer: object) -> None:
    """Set the organizer. If that is not the mailbox's owner, the event becomes an invitation."""
    wanted = organizer.get("emailAddress", organizer) if isinstance(organizer, dict) else None
    address = email_address(wanted)
    event.fields["organizer"] = {"emailAddress": address}
    own = address["address"].casefold() == event.calendar.mailbox.address.casefold()
    event.fields["isOrganizer"] = own
    if own:
        event.fields["responseStatus"] = {"response": "organizer", "time": NEVER}

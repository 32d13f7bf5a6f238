"""The simulator's data: every mailbox by address or object id, and what changed since the last save."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from infra.local.graph_simulator.state.model import Calendar, Event, Item, Json, Mailbox
from infra.local.graph_simulator.values import ids
from infra.local.graph_simulator.values.errors import GraphError, item_not_found, malformed_id


@dataclass(slots=True)
class Changed:
    """What a save has to write."""

    mailboxes: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    #: (mailbox, key) -> the event, ``None`` if it was deleted.
    events: dict[tuple[str, str], Event | None] = field(default_factory=dict)
    #: (mailbox, transactionId, event key, seconds since 1970)
    transactions: list[tuple[str, str, str, float]] = field(default_factory=list)


class State:
    """All mailboxes. Every change of stored data goes through ``touch``/``remove`` so that it is saved."""

    def __init__(self) -> None:
        self.mailboxes: dict[str, Mailbox] = {}
        #: Object id -> name and members of an Entra group.
        self.groups: dict[str, Json] = {}
        self._by_name: dict[str, Mailbox] = {}
        self._changed = Changed()
        self.on_change: Callable[[], None] = lambda: None

    def find_mailbox(self, name: str) -> Mailbox | None:
        """The mailbox of an address (any case) or object id."""
        return self._by_name.get(name) or self._by_name.get(name.casefold())

    def mailbox(self, name: str) -> Mailbox:
        """The mailbox of an address or object id; raises 404 as Graph does."""
        found = self.find_mailbox(name)
        if found is None:
            raise GraphError(404, "ResourceNotFound", f"Resource '{name}' could not be found.")
        if not found.enabled:
            raise GraphError(
                404,
                "MailboxNotEnabledForRESTAPI",
                "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
            )
        return found

    def add_mailbox(self, mailbox: Mailbox) -> None:
        """Add or re-index a mailbox after its address changed."""
        self._by_name = {name: box for name, box in self._by_name.items() if box is not mailbox}
        self.mailboxes[mailbox.oid] = mailbox
        self._by_name[mailbox.oid.casefold()] = mailbox
        self._by_name[mailbox.address.casefold()] = mailbox
        self.touch_mailbox(mailbox)

    def put_group(self, group_id: str, group: Json) -> None:
        """Add or replace a group."""
        self.groups[group_id] = group
        self._changed.groups.add(group_id)
        self.on_change()

    def add_calendar(self, mailbox: Mailbox, name: str, *, is_default: bool = False) -> Calendar:
        """A new empty calendar; raises 409 ErrorFolderExists for a name in use."""
        folded = name.casefold()
        if any(calendar.name.casefold() == folded for calendar in mailbox.calendars.values()):
            raise GraphError(
                409, "ErrorFolderExists", f"A folder with the specified name already exists., {name}"
            )
        calendar = Calendar(mailbox, ids.new_key(), name, is_default)
        mailbox.calendars[calendar.id] = calendar
        self.touch_mailbox(mailbox)
        return calendar

    def remove_calendar(self, calendar: Calendar) -> None:
        """Delete a calendar with its events."""
        for event in list(calendar.events.values()):
            self.remove(event)
        del calendar.mailbox.calendars[calendar.id]
        self.touch_mailbox(calendar.mailbox)

    def calendar(self, mailbox: Mailbox, calendar_id: str) -> Calendar:
        """A calendar by id; raises 404, or 400 for a text that is no id."""
        found = mailbox.calendars.get(calendar_id)
        if found is None:
            raise item_not_found() if ids.is_calendar_id(calendar_id) else malformed_id()
        return found

    def item(self, mailbox: Mailbox, item_id: str) -> Item:
        """An event or occurrence by mutable or immutable id; raises 404, or 400 for a text that is no id."""
        parts = ids.split_item_id(item_id)
        if parts is None:
            raise malformed_id()
        key, day, _ = parts
        event = mailbox.events.get(key) or mailbox.deleted_items.events.get(key)
        if event is None or item_id not in (
            ids.item_id(mailbox.part, key, None, day, event.generation),
            ids.item_id(mailbox.part, key, event.move, day, event.generation),
        ):
            raise item_not_found()
        if day is None:
            return event
        if not event.has_date(day):
            raise item_not_found()
        return event.occurrence(day)

    def add(self, event: Event) -> None:
        """Store a new event in its calendar."""
        event.calendar.events[event.key] = event
        event.calendar.mailbox.events[event.key] = event
        self.touch(event)

    def remove(self, event: Event) -> None:
        """Delete an event; its transactionId stays remembered."""
        mailbox = event.calendar.mailbox
        del event.calendar.events[event.key]
        mailbox.events.pop(event.key, None)
        self._changed.events[mailbox.oid, event.key] = None
        self.on_change()

    def discard(self, event: Event) -> None:
        """Move an event to Deleted Items: it lies in no calendar, its immutable id still finds it."""
        mailbox = event.calendar.mailbox
        self._put(event, mailbox.deleted_items)
        mailbox.events.pop(event.key, None)
        self._note(event)

    def move(self, event: Event, target: Calendar) -> None:
        """Move an event inside its mailbox: immutable ids stay, the others change.

        Source: Graph documentation, immutable ids; also out of Deleted Items, as Outlook's users do.
        """
        self._put(event, target)
        target.mailbox.events[event.key] = event
        self.touch(event)

    def _put(self, event: Event, target: Calendar) -> None:
        del event.calendar.events[event.key]
        event.calendar = target
        event.move = ids.new_key()[:8]
        event.stamp.renew()
        target.events[event.key] = event

    def touch(self, event: Event) -> None:
        """Note that a stored event changed."""
        self._note(event)

    def _note(self, event: Event) -> None:
        event.forget()
        self._changed.events[event.calendar.mailbox.oid, event.key] = event
        self.on_change()

    def touch_mailbox(self, mailbox: Mailbox) -> None:
        """Note that a mailbox or its calendars changed."""
        self._changed.mailboxes.add(mailbox.oid)
        self.on_change()

    def remembered(self, mailbox: Mailbox, transaction_id: str, memory_seconds: float) -> str | None:
        """Key of the event created with a transactionId that is still remembered."""
        found = mailbox.transactions.get(transaction_id)
        if found is None:
            return None
        if time.time() - found[1] > memory_seconds:
            del mailbox.transactions[transaction_id]
            return None
        return found[0]

    def remember(self, event: Event, transaction_id: str) -> None:
        """Remember the transactionId of a created event from now on."""
        mailbox, now = event.calendar.mailbox, time.time()
        mailbox.transactions[transaction_id] = (event.key, now)
        self._changed.transactions.append((mailbox.oid, transaction_id, event.key, now))

    def take_changes(self) -> Changed:
        """What changed since the last call."""
        changed, self._changed = self._changed, Changed()
        return changed

    def give_back(self, changed: Changed) -> None:
        """Note again what could not be saved; what changed since then stands."""
        self._changed.mailboxes |= changed.mailboxes
        self._changed.groups |= changed.groups
        self._changed.events = {**changed.events, **self._changed.events}
        self._changed.transactions[:0] = changed.transactions

    def all_mailboxes(self) -> Iterable[Mailbox]:
        """Every mailbox in the order of creation."""
        return self.mailboxes.values()

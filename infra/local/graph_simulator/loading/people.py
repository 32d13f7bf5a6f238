"""The people of a calendar file: whose it is, and who organizes and attends its events."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from infra.local.graph_simulator.graph.event_fields import MAX_TEXT, NEVER
from infra.local.graph_simulator.loading.notes import Note
from infra.local.graph_simulator.loading.text import Component, Property

type Json = dict[str, Any]

_RESPONSES = {
    "ACCEPTED": "accepted",
    "DECLINED": "declined",
    "TENTATIVE": "tentativelyAccepted",
    "NEEDS-ACTION": "notResponded",
}
_ROLES = {"OPT-PARTICIPANT": "optional", "NON-PARTICIPANT": "resource"}


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose calendar it is: their address in the file (empty: unknown), what said so, and the mailbox's."""

    address: str
    said_by: str
    mailbox: str

    def is_(self, address: str) -> bool:
        """Whether an address is the owner's."""
        return address.casefold() in (self.address.casefold(), self.mailbox.casefold())


def owner_of(calendars: Iterable[Component], wished: str | None, mailbox: str) -> Owner:
    """The owner: as wished, else a calendar whose name is an address, else the one its METHOD addresses.

    An answer (REPLY) has one attendee, who answers; an invitation (REQUEST) to one attendee is that one's
    (RFC 5546 3.2). A file of several attendees does not say whose it is.
    """
    if wished:
        return Owner(wished.strip(), "--owner", mailbox)
    calendars = list(calendars)
    for name in ("X-WR-CALNAME", "X-OWNER", "X-WR-RELCALID", "NAME"):
        for calendar in calendars:
            address = address_of(calendar.first(name))
            if address is not None:
                return Owner(address, name, mailbox)
    told = {address for calendar in calendars for address in _addressed(calendar)}
    if len(told) == 1:
        return Owner(told.pop(), "METHOD", mailbox)
    return Owner("", "", mailbox)


def _addressed(calendar: Component) -> Iterable[str]:
    method = calendar.value("METHOD").upper()
    if method not in ("REPLY", "REQUEST", "ADD", "COUNTER"):
        return
    for event in calendar.walk("VEVENT"):
        organizer = address_of(event.first("ORGANIZER"))
        attendees = {address_of(person) for person in event.all("ATTENDEE")} - {organizer, None}
        if len(attendees) == 1:
            yield from (address for address in attendees if address is not None)
        else:
            # More than one: nobody can be told from the others.
            yield from ("", "?")


def declined_by_someone(events: Iterable[Component]) -> int:
    """How many events somebody declined."""
    return sum(
        any(person.params.get("PARTSTAT", "").upper() == "DECLINED" for person in event.all("ATTENDEE"))
        for event in events
    )


def people(event: Component, owner: Owner, note: Note) -> Json:
    """Graph's attendees and organizer, and the owner's answer; an address that is none goes to ``note``."""
    result: Json = {"attendees": []}
    for person in event.all("ATTENDEE"):
        address = address_of(person)
        if address is None:
            note(event, f"attendee {person.value[:80]} has no e-mail address")
            continue
        response = _RESPONSES.get(person.params.get("PARTSTAT", "NEEDS-ACTION").upper(), "none")
        result["attendees"].append(
            {
                "type": _ROLES.get(person.params.get("ROLE", "").upper(), "required"),
                "status": {"response": "none" if response == "notResponded" else response, "time": NEVER},
                "emailAddress": {"name": _name(person, address), "address": address},
            }
        )
        if owner.is_(address):
            result["responseStatus"] = {"response": response, "time": NEVER}
    organizer = event.first("ORGANIZER")
    if organizer is None:
        return result
    address = address_of(organizer)
    if address is None:
        note(event, f"organizer {organizer.value[:80]} has no e-mail address")
    elif owner.is_(address):
        # The owner's own meeting: their address in the file is not the mailbox's here.
        result.pop("responseStatus", None)
    else:
        result["organizer"] = {"emailAddress": {"name": _name(organizer, address), "address": address}}
    return result


def address_of(person: Property | None) -> str | None:
    """The e-mail address of a property's value (``mailto:``) or of its EMAIL; ``None`` if it has none."""
    if person is None:
        return None
    for text in (person.value.strip(), person.params.get("EMAIL", "").strip()):
        address = text[7:].strip() if text.lower().startswith("mailto:") else text
        if "@" in address.strip("@") and not set(address) & set(' :<>,;"\n') and len(address) <= 320:
            return address
    return None


def _name(person: Property, address: str) -> str:
    return (person.params.get("CN", "") or address)[:MAX_TEXT]

"""Validation of event bodies: what a client may write, property by property, as Graph refuses it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from infra.local.graph_simulator.graph import bodies
from infra.local.graph_simulator.graph.rendering import EVENT_PROPERTIES
from infra.local.graph_simulator.values.errors import (
    GraphError,
    bad_request,
    invalid_body,
    invalid_value,
    read_only,
)

SHOW_AS = ("free", "tentative", "busy", "oof", "workingElsewhere", "unknown")
IMPORTANCE = ("low", "normal", "high")
SENSITIVITY = ("normal", "personal", "private", "confidential")
MAX_TEXT = 255
NEVER = "0001-01-01T00:00:00Z"
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_GUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_TYPES = (
    "ApplicationTime|Binary|Boolean|CLSID|Currency|Double|Error|Float|Integer|Long|Null|Object|Short|String"
    "|SystemTime"
)
_EXTENDED_ID = re.compile(
    rf"({_TYPES})\s+(?:\{{?({_GUID})\}}?\s+(Name\s+\S.*|Id\s+0x[0-9a-fA-F]+)|(0x[0-9a-fA-F]{{1,4}}))",
    re.IGNORECASE,
)

type Json = dict[str, Any]


@dataclass(slots=True)
class Changes:
    """A validated body: plain fields in Graph's shape, and what needs the whole event to be judged."""

    fields: Json = field(default_factory=dict)
    start: Any = None
    end: Any = None
    all_day: bool | None = None
    recurrence: Any = None
    has_recurrence: bool = False
    extended: dict[str, str] = field(default_factory=dict)
    transaction_id: str | None = None

    @property
    def moves(self) -> bool:
        """Whether times are among the changes."""
        return self.start is not None or self.end is not None or self.all_day is not None


def extended_id(text: Any) -> str:
    """An extended property's id in one spelling; raises 400 ExtensionError for a malformed one.

    The property's name keeps its case: Graph tells names apart by it.
    """
    found = _canonical_id(text) if isinstance(text, str) else None
    if found is None:
        raise GraphError(400, "ExtensionError", f"The property ID '{text}' is invalid.")
    return found


@lru_cache(maxsize=1024)
def _canonical_id(text: str) -> str | None:
    match = _EXTENDED_ID.fullmatch(text.strip())
    if match is None:
        return None
    kind, guid, named, tag = match.groups()
    canonical = next(name for name in _TYPES.split("|") if name.lower() == kind.lower())
    if tag is not None:
        return f"{canonical} {tag.lower()}"
    word, rest = named.split(None, 1)
    return f"{canonical} {{{guid.lower()}}} {word.capitalize()} {rest}"


def read_event(body: Any, *, creating: bool, wrap_bodies: bool) -> Changes:
    """Validate the body of a POST (``creating``) or PATCH of an event; raises 400 naming the property."""
    if not isinstance(body, dict):
        raise invalid_body("Empty Payload. JSON content expected.")
    changes = Changes()
    for name, value in body.items():
        if "@odata." in name:
            continue
        simple = _SIMPLE.get(name)
        if simple is not None:
            changes.fields[name] = simple(name, value)
        elif name == "body":
            changes.fields["body"] = _body(value, wrap=wrap_bodies)
        elif name in ("location", "locations"):
            _read_location(changes, name, value)
        elif name == "attendees":
            changes.fields["attendees"] = _attendees(value)
        elif not _read_special(changes, name, value, creating=creating):
            if name in EVENT_PROPERTIES:
                raise read_only(name)
            raise invalid_body(
                f"The property '{name}' does not exist on type 'microsoft.graph.event'. Make sure to only "
                "use property names that are defined by the type or mark the type as open type."
            )
    return changes


def _read_special(changes: Changes, name: str, value: Any, *, creating: bool) -> bool:
    if name == "start":
        changes.start = _given(name, value)
    elif name == "end":
        changes.end = _given(name, value)
    elif name == "isAllDay":
        changes.all_day = _boolean(name, value)
    elif name == "recurrence":
        changes.recurrence, changes.has_recurrence = value, True
    elif name == "singleValueExtendedProperties":
        changes.extended = _extended(value)
    elif name == "transactionId" and creating:
        changes.transaction_id = None if value is None else _text(name, value)
    else:
        return False
    return True


def _given(name: str, value: Any) -> Any:
    if value is None:
        raise invalid_value(f"{name} must not be null.")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise invalid_body(f"Cannot convert the value of '{name}' to the expected type 'Edm.String'.")
    return value


def _short_text(name: str, value: Any) -> str:
    text = "" if value is None else _text(name, value)
    if len(text) > MAX_TEXT:
        raise invalid_value(f"{name} is longer than {MAX_TEXT} characters.")
    return text


def _boolean(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise invalid_body(f"Cannot convert the value of '{name}' to the expected type 'Edm.Boolean'.")
    return value


def _whole_number(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**31) <= value < 2**31:
        raise invalid_body(f"Cannot convert the value of '{name}' to the expected type 'Edm.Int32'.")
    return value


def _one_of(options: tuple[str, ...]) -> Callable[[str, Any], str]:
    by_folded = {option.casefold(): option for option in options}

    def check(name: str, value: Any) -> str:
        found = by_folded.get(value.casefold()) if isinstance(value, str) else None
        if found is None:
            raise invalid_body(f"Requested value '{value}' was not found for '{name}'.")
        return found

    return check


def _categories(name: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise invalid_body(f"Cannot convert the value of '{name}' to a collection of strings.")
    for text in value:
        if len(_text(name, text)) > MAX_TEXT:
            raise invalid_value(f"A category is longer than {MAX_TEXT} characters.")
        if not text.strip():
            raise invalid_value("A category must not be empty.")
    return list(dict.fromkeys(value))


def _body(value: Any, *, wrap: bool) -> Json:
    if value is None:
        return bodies.normalised("html", "", wrap=wrap)
    if not isinstance(value, dict):
        raise invalid_body("Cannot convert the value of 'body' to 'microsoft.graph.itemBody'.")
    _known("body", value, ("contentType", "content"))
    content_type = str(value.get("contentType") or "text").lower()
    if content_type not in ("text", "html"):
        raise invalid_body(f"Requested value '{content_type}' was not found for 'contentType'.")
    content = value.get("content")
    return bodies.normalised(content_type, "" if content is None else _text("content", content), wrap=wrap)


def _known(name: str, value: Json, members: tuple[str, ...]) -> None:
    for member in value:
        if member not in members and "@odata." not in member:
            raise invalid_body(f"The property '{member}' does not exist on '{name}'.")


_LOCATION_MEMBERS = [
    "displayName",
    "locationType",
    "uniqueId",
    "uniqueIdType",
    "locationEmailAddress",
    "locationUri",
    "address",
    "coordinates",
]


def _location(value: Any) -> Json:
    if value is None:
        return {"displayName": "", "locationType": "default", "uniqueIdType": "unknown", "address": {}}
    if not isinstance(value, dict):
        raise invalid_body("Cannot convert the value of 'location' to 'microsoft.graph.location'.")
    _known("location", value, tuple(_LOCATION_MEMBERS))
    name = _short_text("location.displayName", value.get("displayName"))
    kept = {key: item for key, item in value.items() if item is not None and "@odata." not in key}
    default = {"locationType": "default", "uniqueId": name, "uniqueIdType": "private" if name else "unknown"}
    return {"displayName": name, **default, **kept}


def _read_location(changes: Changes, name: str, value: Any) -> None:
    if name == "location":
        changes.fields["location"] = _location(value)
        changes.fields.setdefault("locations", [changes.fields["location"]] if value else [])
        return
    if not isinstance(value, list):
        raise invalid_body("Cannot convert the value of 'locations' to a collection.")
    changes.fields["locations"] = [_location(item) for item in value]
    if value:
        changes.fields.setdefault("location", changes.fields["locations"][0])


def _attendees(value: Any) -> list[Json]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise invalid_body("Cannot convert the value of 'attendees' to a collection.")
    result = []
    for attendee in value:
        if not isinstance(attendee, dict):
            raise invalid_body("Cannot convert the value of 'attendees' to 'microsoft.graph.attendee'.")
        _known("attendee", attendee, ("type", "status", "emailAddress", "proposedNewTime"))
        result.append(
            {
                "type": _one_of(("required", "optional", "resource"))(
                    "type", attendee.get("type") or "required"
                ),
                "status": attendee.get("status") or {"response": "none", "time": NEVER},
                "emailAddress": email_address(attendee.get("emailAddress")),
            }
        )
    return result


def email_address(value: Any) -> Json:
    """An emailAddress with a plausible address; raises 400 otherwise."""
    if not isinstance(value, dict):
        raise invalid_value("emailAddress is required.")
    address = value.get("address")
    if not isinstance(address, str) or _ADDRESS.fullmatch(address) is None:
        raise invalid_value(f"'{address}' is not an e-mail address.")
    return {"name": _short_text("name", value.get("name")) or address, "address": address}


def _extended(value: Any) -> dict[str, str]:
    if not isinstance(value, list):
        raise invalid_body("Cannot convert the value of 'singleValueExtendedProperties' to a collection.")
    result = {}
    for entry in value:
        if not isinstance(entry, dict) or not isinstance(entry.get("value"), str):
            raise bad_request("An extended property needs an id and a string value.", "ExtensionError")
        result[extended_id(entry.get("id"))] = entry["value"]
    return result


_SIMPLE: dict[str, Callable[[str, Any], Any]] = {
    "subject": _short_text,
    "categories": _categories,
    "showAs": _one_of(SHOW_AS),
    "importance": _one_of(IMPORTANCE),
    "sensitivity": _one_of(SENSITIVITY),
    "isReminderOn": _boolean,
    "reminderMinutesBeforeStart": _whole_number,
    "responseRequested": _boolean,
    "allowNewTimeProposals": _boolean,
    "hideAttendees": _boolean,
    "isOnlineMeeting": _boolean,
    "onlineMeetingProvider": _one_of(("unknown", "teamsForBusiness", "skypeForBusiness", "skypeForConsumer")),
}

"""The files of an export: every table as JSON Lines, the appointments as a calendar (domain.md 15.2)."""

import base64
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote
from uuid import UUID

import orjson

from shared.database.repositories.people.person_data import HeldRow
from shared.domain.audit.values import UNREADABLE, WITHHELD, concerns_private_event, restore
from shared.domain.audit.values import masked as masked_changes
from shared.domain.identity.disclosure import MASKED_CONTENT, MASKED_SENSITIVITY, NORMAL, PRIVATE
from shared.services.audit.recording import value_context
from shared.services.person_keys.keys import PersonKey

if TYPE_CHECKING:
    from icalendar import Event

#: The names of the tables in the export.
FILE_NAMES: Final = {
    "users": "profile",
    "archived_events": "archived-events",
    "audit_entries": "audit",
}
CALENDAR_HEAD: Final = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Admin Assistant//Export of a person's data//EN\r\n"
    b"CALSCALE:GREGORIAN\r\n"
)
CALENDAR_TAIL: Final = b"END:VCALENDAR\r\n"
_TIMES: Final = frozenset({"start_at", "end_at", "is_all_day", "start", "end", "isAllDay"})
_MASKED_COLUMNS: Final[Mapping[str, Any]] = {
    **MASKED_CONTENT,
    **dict.fromkeys(("ical_uid", "source_subject"), ""),
    **dict.fromkeys(("is_cancelled", "is_declined"), False),
    **dict.fromkeys(("organizer", "source_sensitivity", "source_show_as", "source_deleted_at"), None),
    "attendees": [],
    "modifications": [],
    "attachment_count": 0,
}
# iCalendar text must not contain these (RFC 5545, 3.1 CONTROL). Readers take U+FEFF for a byte order mark.
_UNREADABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff]")
#: The placeholder for a person without an address, as in Exchange.
_NO_ADDRESS: Final = "invalid:nomail"
_CLASSES: Final = {"private": "PRIVATE", "personal": "PRIVATE", "confidential": "CONFIDENTIAL"}


def file_name(table: str) -> str:
    """The JSON Lines file of a table."""
    return f"{FILE_NAMES.get(table, table.replace('_', '-'))}.jsonl"


def line(row: HeldRow) -> bytes:
    """A row as one JSON line: times in UTC, bytes as base64, ranges as PostgreSQL writes them."""
    return orjson.dumps(row, default=_plain, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)


def _plain(value: object) -> str:
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode("ascii")
    return str(value)


def masked(row: HeldRow) -> HeldRow:
    """A row for anybody except the person (domain.md 6.3, 15.2).

    It has only the times of a private event, and no answers that were stored for the person.
    """
    shown = dict(row)
    if shown.get("sensitivity", NORMAL) != NORMAL:
        shown |= {name: value for name, value in _MASKED_COLUMNS.items() if name in shown}
    for name in ("record", "payload"):
        if isinstance(shown.get(name), dict) and shown[name].get("sensitivity", "") != NORMAL:
            kept = {key: value for key, value in shown[name].items() if key in _TIMES}
            shown[name] = kept | {"subject": PRIVATE, "sensitivity": MASKED_SENSITIVITY}
    if "changes" in shown and concerns_private_event(shown["changes"]):
        shown["changes"] = masked_changes(shown["changes"])
    if "body" in shown and isinstance(shown["body"], bytes | memoryview):
        shown["body"] = b""
    return shown


def opened(row: HeldRow, key: PersonKey | None) -> HeldRow:
    """An audit row with its personal values decrypted."""

    def open_value(path: str, ciphertext: str | None) -> Any:
        if ciphertext is None:
            return WITHHELD
        try:
            return UNREADABLE if key is None else key.decrypt(ciphertext, value_context(row["id"], path))
        except ValueError:
            return UNREADABLE

    return dict(row) | {"changes": restore(row["changes"], open_value)}


def event(row: HeldRow) -> bytes:
    """An appointment as a VEVENT (RFC 5545): all-day ones as dates, the others in UTC.

    Texts are converted by ``calendar_text``. The JSON Lines keep them unchanged.
    """
    from icalendar import Event

    found = Event()
    found.add("uid", f"{row['id']}@admin-assistant")
    found.add("dtstamp", row["updated_at"])
    found.add("summary", calendar_text(row["subject"]))
    _times(found, row)
    if row["body"]:
        found.add("description", calendar_text(row["body"]))
    if row["location"]:
        found.add("location", calendar_text(row["location"]))
    if row["categories"]:
        found.add("categories", [calendar_text(each) for each in row["categories"]])
    found.add("class", _CLASSES.get(row["sensitivity"], "PUBLIC"))
    found.add("transp", "TRANSPARENT" if row["show_as"] == "free" else "OPAQUE")
    if row["is_cancelled"]:
        found.add("status", "CANCELLED")
    if row["reason_code"] is not None:
        # The reason why the event counts no time (domain.md 2.18).
        found.add("x-admin-assistant-reason-code", row["reason_code"])
    if row["organizer"]:
        _person(found, "organizer", row["organizer"])
    for attendee in row["attendees"]:
        _person(found, "attendee", attendee)
    return bytes(found.to_ical())


def _times(found: "Event", row: HeldRow) -> None:
    start, end = row["start_at"], row["end_at"]
    if row["is_all_day"]:
        # Stored as the midnights of its dates, tagged UTC.
        start, end = start.date(), max(end.date(), start.date() + timedelta(days=1))
    found.add("dtstart", start)
    found.add("dtend", end)


def _person(found: "Event", name: str, person: Mapping[str, Any]) -> None:
    from icalendar import vCalAddress, vText

    address = vCalAddress(calendar_address(person.get("address") or ""))
    if person.get("name"):
        address.params["cn"] = vText(calendar_name(person["name"]))
    found.add(name, address)


def calendar_text(text: str) -> str:
    """The text with line feeds as line ends, and U+FFFD for each character that iCalendar cannot contain.

    The library also writes a backslash before an ``N`` as a line end. The JSON Lines keep it.
    """
    in_lines = text.replace("\\N", "\n").replace("\r\n", "\n").replace("\r", "\n")
    return _UNREADABLE.sub("\ufffd", in_lines)


def calendar_name(text: str) -> str:
    """A name as a parameter (RFC 5545, 3.2): in one line, because readers treat a backslash as an escape."""
    return " ".join(calendar_text(text).replace("\\", "/").split())


def calendar_address(address: str) -> str:
    """An address as a mailto URI (RFC 6068). Other characters are percent-encoded."""
    return f"mailto:{quote(address, safe="@!$'*+")}" if address else _NO_ADDRESS


def object_name(owner_id: UUID, export_id: UUID) -> str:
    """The object name of the export in storage."""
    return f"{folder_of(owner_id)}{export_id}.zip"


def folder_of(owner_id: UUID) -> str:
    """The folder of all exports of a person."""
    return f"exports/{owner_id}/"


def folders_of(owner_id: UUID) -> tuple[str, ...]:
    """The folders of all files of a person. An erasure deletes their content."""
    return (folder_of(owner_id),)

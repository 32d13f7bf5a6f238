"""iCalendar text to components; one unreadable event or zone does not cost the rest of the file."""

import re
import warnings
from collections.abc import Iterator
from typing import Any

import icalendar
from icalendar import Component
from icalendar.timezone import tzp

from .errors import LoadError

type Json = dict[str, Any]

_PARTS = ("VEVENT", "VTIMEZONE", "VTODO", "VJOURNAL", "VFREEBUSY")
#: What the parser raises for malformed input.
_MALFORMED = (ValueError, KeyError, IndexError, TypeError, AttributeError)


def read_calendars(raw: bytes) -> tuple[list[Component], list[Json]]:
    """The VCALENDARs of a text and notes on what could not be read; raises ``LoadError`` if nothing could."""
    text = raw.decode("utf-8-sig", "replace")
    if "BEGIN:VCALENDAR" not in text.upper():
        raise LoadError("not an iCalendar text: BEGIN:VCALENDAR is missing")
    try:
        return _parse(text), []
    except _MALFORMED as error:
        cause = error
    good, broken = _sorted_out(text)
    if good is None:
        raise LoadError(f"not a readable iCalendar text: {cause}")
    if isinstance(cause, LoadError):
        broken.append({"uid": "", "summary": "", "start": "", "reason": str(cause)})
    return _parse(good), broken


def _parse(text: str) -> list[Component]:
    # The parser keeps the zones of earlier files by name alone; choosing its provider anew forgets them.
    tzp.use_zoneinfo()
    with warnings.catch_warnings():
        # It warns of vendors' prefixes of zone names, which known_zone deals with.
        warnings.simplefilter("ignore")
        files: Any = icalendar.Calendar.from_ical(text, multiple=True)
    if not files:
        raise LoadError("not a complete iCalendar text: END:VCALENDAR is missing")
    return list(files)


def _sorted_out(text: str) -> tuple[str | None, list[Json]]:
    """The text without the parts that cannot be read (``None``: none can), and a note on each of those."""
    head, parts = [], []
    for part in _parts(re.sub(r"\r?\n[ \t]", "", text).splitlines()):
        if part[0].upper().startswith("BEGIN:"):
            parts.append(part)
        elif part[0].upper().startswith(("VERSION", "X-WR-")):
            head.extend(part)
    zones = [part for part in parts if _is_zone(part) and _fault([], [part]) is None]
    kept, broken = list(zones), []
    for part in parts:
        fault = None if part in zones else _fault(zones, [part])
        if fault is not None:
            broken.append(_note(part, fault))
        elif part not in zones:
            kept.append(part)
    document = _document(head, kept)
    return document if kept and _fault([], kept) is None else None, broken


def _parts(lines: list[str]) -> Iterator[list[str]]:
    """Whole components of a calendar, and single lines beside them."""
    part: list[str] = []
    for line in lines:
        word = line.strip().upper()
        if part:
            part.append(line)
            if word == f"END:{part[0].strip().upper()[6:]}":
                yield part
                part = []
        elif word in [f"BEGIN:{kind}" for kind in _PARTS]:
            part = [line]
        elif word:
            yield [f" {line}" if word.startswith("BEGIN:") else line]
    if part:
        yield part


def _is_zone(part: list[str]) -> bool:
    return part[0].strip().upper() == "BEGIN:VTIMEZONE"


def _document(head: list[str], parts: list[list[str]]) -> str:
    lines = [line for part in parts for line in part]
    return "\r\n".join(["BEGIN:VCALENDAR", *head, *lines, "END:VCALENDAR", ""])


def _fault(zones: list[list[str]], parts: list[list[str]]) -> Exception | None:
    try:
        _parse(_document([], [*zones, *parts]))
    except _MALFORMED as error:
        return error
    return None


def _note(part: list[str], fault: Exception) -> Json:
    values = {"UID": "", "SUMMARY": "", "DTSTART": "", "TZID": ""}
    for line in part:
        name, _, value = line.partition(":")
        bare = name.partition(";")[0].strip().upper()
        if bare in values:
            values[bare] = values[bare] or value
    return {
        "uid": values["UID"] or values["TZID"],
        "summary": values["SUMMARY"],
        "start": values["DTSTART"],
        "reason": f"not loaded: it cannot be read ({fault})",
    }

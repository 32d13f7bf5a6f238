"""What was given, one file or a zip of several, as calendars: iCalendar, or the CSV that Outlook exports."""

import io
import zipfile
import zlib
from collections.abc import Iterator

from infra.local.graph_simulator.loading.csv_calendar import read_outlook_csv
from infra.local.graph_simulator.loading.text import Component, read_components
from infra.local.graph_simulator.values.errors import LoadError

_ENDINGS = (".ics", ".ical", ".icalendar", ".ifb", ".vcs", ".csv")
_LARGEST = 200_000_000
_MOST_FILES = 10_000


def holds_calendar(raw: bytes) -> bool:
    """Whether bytes look like a calendar, a table of Outlook's, or a zip; quick, without reading them."""
    if raw.startswith(b"PK\x03\x04"):
        return True
    # UTF-16 has a zero beside each letter.
    upper = raw.replace(b"\0", b"").upper()
    if b"BEGIN:VCALENDAR" in upper or b"BEGIN:VEVENT" in upper:
        return True
    return read_outlook_csv(raw) is not None


def read_sources(raw: bytes) -> tuple[list[Component], list[str]]:
    """The calendars, each with the name of its file in a zip, and notes on files that hold none.

    Raises ``LoadError`` where there is none at all.
    """
    if not raw.startswith(b"PK\x03\x04"):
        return _one(raw, ""), []
    calendars, notes = [], []
    for name, content in _members(raw):
        try:
            calendars += _one(content, name)
        except LoadError as error:
            notes.append(f"{name}: {error}")
    if not calendars:
        raise LoadError("; ".join(notes[:3]) or "it holds no .ics and no .csv")
    return calendars, notes


def _one(raw: bytes, name: str) -> list[Component]:
    found = read_components(raw, name)
    calendars = [each for each in found if each.kind == "VCALENDAR"]
    bare = [each for each in found if each.kind == "VEVENT"]
    if bare:
        calendars.append(Component("VCALENDAR", bare[0].line, parts=bare, file=name))
    if not calendars:
        table = read_outlook_csv(raw, name)
        if table is None:
            raise LoadError(
                "not a calendar: it has neither BEGIN:VCALENDAR nor the headings of Outlook's CSV"
            )
        return [table]
    if not any(each.whole or each.parts for each in calendars):
        raise LoadError("not a complete calendar: END:VCALENDAR is missing")
    return calendars


def _members(raw: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            wanted = [
                each
                for each in archive.infolist()
                if each.filename.lower().endswith(_ENDINGS) and "__MACOSX" not in each.filename
            ]
            if len(wanted) > _MOST_FILES or sum(each.file_size for each in wanted) > _LARGEST:
                raise LoadError("the zip holds more than can be read")
            for each in sorted(wanted, key=lambda member: member.filename):
                with archive.open(each) as member:
                    content = member.read(_LARGEST + 1)
                yield each.filename, content
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        RuntimeError,
        NotImplementedError,
        ValueError,
        OSError,
    ) as error:
        raise LoadError(f"the zip cannot be read: {error}") from None

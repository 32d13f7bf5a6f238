"""A person's own iCalendar file as a mailbox of the local tenant. Nothing of it leaves the machine."""

import hashlib
import io
import json
import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from infra.local import calendar_reading_report, identities
from infra.local.errors import LocalError
from infra.local.graph_simulator.loading.sources import holds_calendar
from infra.local.seeding import Person
from infra.local.stack import Stack

#: Windows over 400 days are refused by the API.
_WINDOW_DAYS = 365
_LARGEST = 200_000_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line says of the files, all optional: local dates (``end`` exclusive), zone, owner."""

    start: date | None = None
    end: date | None = None
    zone: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class CalendarFile:
    """A file that was loaded: its mailbox, its range of local dates and what the simulator says of it."""

    path: Path
    person: Person
    start: date
    end: date
    loaded: dict[str, Any]

    def windows(self) -> list[tuple[datetime, datetime]]:
        """The range as windows that the API accepts, oldest first."""
        zone = ZoneInfo(self.person.time_zone)
        found = []
        first = self.start
        while first < self.end:
            last = min(first + timedelta(days=_WINDOW_DAYS), self.end)
            found.append((_midnight(first, zone), _midnight(last, zone)))
            first = last
        return found


def read_file(path: Path) -> bytes:
    """A calendar file, a zip of several, or a folder of several as a zip.

    Raises :class:`LocalError` with one line if it is none.
    """
    try:
        raw = _zipped(path) if path.is_dir() else _read(path)
    except FileNotFoundError as error:
        raise LocalError(f"no such file: {path}") from error
    except OSError as error:
        raise LocalError(f"cannot read {path}: {error.strerror}") from error
    if not holds_calendar(raw):
        raise LocalError(
            f"{path} is not a calendar: it has neither BEGIN:VCALENDAR nor the headings of Outlook's CSV"
        )
    return raw


def _read(path: Path) -> bytes:
    if path.stat().st_size > _LARGEST:
        raise LocalError(f"{path} is larger than {_LARGEST // 1_000_000} MB")
    return path.read_bytes()


def _zipped(folder: Path) -> bytes:
    """The calendars of a folder and those below it, in the order of their names."""
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in (".ics", ".ical", ".icalendar", ".vcs", ".csv") and path.is_file()
    )
    if not found:
        raise LocalError(f"{folder} holds no .ics and no .csv file")
    if sum(path.stat().st_size for path in found) > _LARGEST:
        raise LocalError(f"the calendars of {folder} are larger than {_LARGEST // 1_000_000} MB together")
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for path in found:
            # A date of its own for each would make another file of the same contents.
            archive.writestr(zipfile.ZipInfo(path.relative_to(folder).as_posix()), path.read_bytes())
    return memory.getvalue()


def read_files(paths: Iterable[Path], tell: Callable[[str], None]) -> list[tuple[Path, bytes]]:
    """Each file once: of one that is named twice, or twice under one name, ``tell`` gets a line."""
    found: list[tuple[Path, bytes]] = []
    for path in paths:
        raw = read_file(path)
        same = next((each for each, content in found if content == raw and each.stem == path.stem), None)
        if same is None:
            found.append((path, raw))
        elif same == path:
            tell(f"{path} is named twice; it is read once")
        else:
            tell(f"{path} holds the same as {same}; it is read once")
    return found


async def load_file(stack: Stack, path: Path, raw: bytes, wish: Wish) -> CalendarFile:
    """Put a file's events into a mailbox named after it; the same file again finds its mailbox.

    Raises :class:`LocalError` when the simulator cannot read it or it holds no event in the range.
    """
    address = _address(stack.state_dir / "calendar-files.json", path, raw)
    await stack.simulator(
        "POST",
        "mailboxes",
        [
            {
                "address": address,
                "oid": identities.object_id(address),
                "display_name": path.stem,
                "calendars": [{"name": "Calendar", "is_default": True}],
            }
        ],
    )
    try:
        loaded = await stack.simulator(
            "POST",
            f"mailboxes/{address}/calendars/Calendar/ics",
            raw,
            **{
                "from": _text(wish.start),
                "to": _text(wish.end),
                "zone": wish.zone,
                "owner": wish.owner,
            },
        )
    except LocalError as error:
        raise LocalError(f"{path}: {error}") from error
    if not loaded["events"]:
        raise LocalError(f"{path}: {calendar_reading_report.why_empty(loaded)}")
    start, end = (date.fromisoformat(loaded["range"][name]) for name in ("from", "to"))
    person = Person(address, path.stem, loaded["zone"], start, nightly=False)
    return CalendarFile(path, person, start, end, loaded)


def as_json(
    file: CalendarFile, events: Sequence[dict[str, Any]], weeks: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What a program wants to know of a file; ``events`` are those of the archived windows.

    ``weeks`` are the API's.
    """
    return {
        "file": str(file.path),
        "mailbox": file.person.address,
        "zone": file.person.time_zone,
        "from": file.start.isoformat(),
        "to": file.end.isoformat(),
        "events": len(events),
        "series": file.loaded["series"],
        "weeks": [
            {
                "monday": week["first_day"],
                "events": week["total"]["count"],
                "hours": week["total"]["hours"],
                "net_hours": week["total"]["net_hours"],
            }
            for week in weeks
            if week["total"]["count"]
        ],
    } | calendar_reading_report.as_json(file.loaded, events)


def reading_lines(file: CalendarFile, events: Sequence[dict[str, Any]]) -> list[str]:
    """What became of the entries of the file, and its series."""
    zone = ZoneInfo(file.person.time_zone)
    about = f"{len(events)} events {_span(file.loaded)}, {file.loaded['series']} series."
    return [about, *calendar_reading_report.as_lines(file.loaded, events, zone)]


def _address(register: Path, path: Path, raw: bytes) -> str:
    """Address of the file's mailbox: its name; another content under that name gets a number behind it."""
    digest = hashlib.sha256(raw).hexdigest()
    try:
        known: dict[str, str] = json.loads(register.read_text())
    except (FileNotFoundError, ValueError):
        known = {}
    ascii_name = unicodedata.normalize("NFKD", path.stem).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", ascii_name).strip("-")[:40] or "calendar"
    number = 1
    while True:
        address = f"{name}{'' if number == 1 else f'-{number}'}@calendar.example.com"
        if known.setdefault(address, digest) == digest:
            register.write_text(json.dumps(known))
            return address
        number += 1


def _span(loaded: dict[str, Any]) -> str:
    return f"from {loaded['range']['from']} to {loaded['range']['to']}"


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)

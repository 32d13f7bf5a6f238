"""What npm's ``ical.js`` says calendars hold: a second oracle, asked where node and npm are there."""

import json
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from infra.local.stack import ROOT
from tests.support.random_calendars import RandomCalendar

VERSION = "2.2.1"
_INTEGRITY = "sha512-yK/UlPbEs316igb/tjRgbFA8ZV75rCsBJp/hWOatpyaPNlgw0dGDmU+FoicOcwX4xXkeXOkYiOmCqNPFpNPkQg=="
_FOLDER = ROOT / ".local" / "oracles" / f"ical.js-{VERSION}"
_SCRIPT = Path(__file__).with_suffix(".mjs")
_PATIENCE = 60
_OLDEST_NODE = 18
#: How far an occurrence may be from the date that its rule gives it.
_MARGIN = timedelta(days=5)
#: The VTIMEZONE components of each zone: kind, first onset, offset before, offset after, yearly rule. They
#: agree with the IANA database in the years that random calendars use.
_ZONES: dict[str, tuple[tuple[str, str, str, str, str], ...]] = {
    "Europe/Berlin": (
        ("STANDARD", "19961027T030000", "+0200", "+0100", "BYMONTH=10;BYDAY=-1SU"),
        ("DAYLIGHT", "19970330T020000", "+0100", "+0200", "BYMONTH=3;BYDAY=-1SU"),
    ),
    "America/New_York": (
        ("DAYLIGHT", "20070311T020000", "-0500", "-0400", "BYMONTH=3;BYDAY=2SU"),
        ("STANDARD", "20071104T020000", "-0400", "-0500", "BYMONTH=11;BYDAY=1SU"),
    ),
    "Australia/Lord_Howe": (
        ("STANDARD", "20080406T020000", "+1100", "+1030", "BYMONTH=4;BYDAY=1SU"),
        ("DAYLIGHT", "20081005T020000", "+1030", "+1100", "BYMONTH=10;BYDAY=1SU"),
    ),
    "Asia/Tokyo": (("STANDARD", "19700101T000000", "+0900", "+0900", ""),),
    "Asia/Kolkata": (("STANDARD", "19700101T000000", "+0530", "+0530", ""),),
}


class NotComparedError(Exception):
    """Why ical.js cannot be asked on this machine, in words."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """``start`` is local in ``zone``, ``instant`` is UTC.

    Of an all-day event both are its date, and the zone is ``date``.
    """

    uid: str
    start: str
    zone: str
    instant: str


def icaljs_occurrences(calendars: Iterable[RandomCalendar]) -> list[list[Occurrence] | str]:
    """Occurrences of each calendar around the days asked for, or the error of ical.js.

    Raises :class:`NotComparedError` without node, npm or the package.
    """
    package, node = _installed(), shutil.which("node")
    lines = [json.dumps(_time_zones())]
    for calendar in calendars:
        asked = {"text": calendar.text, "zone": calendar.zone}
        asked |= {
            "from": (calendar.first - _MARGIN).isoformat(),
            "until": (calendar.last + _MARGIN).isoformat(),
        }
        lines.append(json.dumps(asked))
    answered = subprocess.run(
        [str(node), str(_SCRIPT), str(package)],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
        timeout=_PATIENCE * 5,
    )
    answers = [json.loads(line) for line in answered.stdout.splitlines()]
    return [found if isinstance(found, str) else [Occurrence(*one) for one in found] for found in answers]


def _installed() -> Path:
    """The module of the pinned package, installed at the first call."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise NotComparedError(f"no {program}")
    told = subprocess.run(
        ["node", "--version"], capture_output=True, text=True, check=False, timeout=_PATIENCE
    )
    major = told.stdout.strip().removeprefix("v").partition(".")[0]
    if not major.isdigit() or int(major) < _OLDEST_NODE:
        raise NotComparedError(f"node is older than {_OLDEST_NODE}")
    module = _FOLDER / "node_modules" / "ical.js" / "dist" / "ical.js"
    if module.exists():
        return module
    _FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = {"ical.js": VERSION}
    (_FOLDER / "package.json").write_text(json.dumps({"private": True, "dependencies": wanted}))
    locked = {"version": VERSION, "integrity": _INTEGRITY}
    packages = {"": {"dependencies": wanted}, "node_modules/ical.js": locked}
    lock = {"lockfileVersion": 3, "requires": True, "packages": packages}
    (_FOLDER / "package-lock.json").write_text(json.dumps(lock))
    command = [str(shutil.which("npm")), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        subprocess.run(command, cwd=_FOLDER, capture_output=True, check=True, timeout=_PATIENCE)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise NotComparedError(f"npm cannot install ical.js {VERSION}") from error
    return module


def _time_zones() -> str:
    """A calendar of VTIMEZONEs alone: ical.js knows no zone by name."""
    lines = ["BEGIN:VCALENDAR"]
    for tzid, observances in _ZONES.items():
        lines += ["BEGIN:VTIMEZONE", f"TZID:{tzid}"]
        for kind, onset, before, after, rule in observances:
            lines += [f"BEGIN:{kind}", f"DTSTART:{onset}", f"TZOFFSETFROM:{before}", f"TZOFFSETTO:{after}"]
            lines += [f"RRULE:FREQ=YEARLY;{rule}"] if rule else []
            lines.append(f"END:{kind}")
        lines.append("END:VTIMEZONE")
    return "\r\n".join([*lines, "END:VCALENDAR"]) + "\r\n"

"""``python -m tests.support.compare_ical_js FOLDER [COUNT] [FIRST]``: random calendars beside npm's ical.js.

``FOLDER`` is where ``npm install ical.js`` was run. Not a part of ``./dev test``: it needs node. It prints
how many calendars agree, and each that does not.
"""

import argparse
import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.support.calendar_comparison import loaded_starts
from tests.support.calendar_oracle import local
from tests.support.random_calendars import OFFICE, RandomCalendar, random_calendar

_SCRIPT = Path(__file__).with_name("ical_js.cjs")
_MARGIN = timedelta(days=5)
#: Rules that ical.js reads otherwise than the examples of RFC 5545 3.8.5.3 say; it takes every Monday.
EXPLAINED = {
    "FREQ=YEARLY;BYDAY=20MO": "every 20th Monday of the year",
    "FREQ=YEARLY;BYWEEKNO=20,30;BYDAY=MO": "Monday of week number 20",
}


def compare(folder: Path, seeds: range) -> tuple[int, list[str]]:
    """How many calendars were compared, and how the calendars of the seeds differ from what ical.js says.

    Left out are calendars with THISANDFUTURE, which the script does not read, and with rules of EXPLAINED.
    """
    unread = ("THISANDFUTURE", *EXPLAINED)
    drawn = [random_calendar(seed) for seed in seeds]
    calendars = [each for each in drawn if not any(text in each.text for text in unread)]
    asked = "\n".join(
        json.dumps(
            {
                "text": each.text.replace("\n", "\r\n"),
                "first": (each.first - _MARGIN).isoformat(),
                "last": (each.last + _MARGIN).isoformat(),
            }
        )
        for each in calendars
    )
    command = ["node", str(_SCRIPT), str(folder.resolve())]
    run = subprocess.run(command, input=asked, capture_output=True, text=True, check=True, timeout=600)
    found = []
    for calendar, line in zip(calendars, run.stdout.splitlines(), strict=True):
        answer = json.loads(line)
        theirs = [answer["error"]] if "error" in answer else _instants(calendar, answer["starts"])
        ours = loaded_starts(calendar)
        if ours != theirs:
            more, less = sorted(set(ours) - set(theirs))[:3], sorted(set(theirs) - set(ours))[:3]
            found.append(f"seed {calendar.seed}: only loaded {more}, only ical.js {less}")
    return len(calendars), found


def _instants(calendar: RandomCalendar, told: list[dict[str, str]]) -> list[str]:
    zone = ZoneInfo(calendar.zone)
    found = []
    for each in told:
        if each["date"]:
            day, shown = date.fromisoformat(each["at"]), each["at"]
        else:
            name = {"Office": OFFICE, "": calendar.zone}.get(each["zone"], each["zone"])
            wall = datetime.fromisoformat(each["at"].removesuffix("Z"))
            clock = UTC if each["at"].endswith("Z") else ZoneInfo(name)
            instant = wall.replace(tzinfo=clock).astimezone(UTC)
            day, shown = local(instant, zone), f"{instant:%Y-%m-%dT%H:%M}"
        if calendar.first <= day < calendar.last:
            found.append(shown)
    return sorted(found)


def main() -> int:
    """Exit status 0 if every calendar agrees."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.compare_ical_js")
    parser.add_argument("folder", type=Path)
    parser.add_argument("count", type=int, nargs="?", default=200)
    parser.add_argument("first", type=int, nargs="?", default=0)
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.count)
    compared, found = compare(given.folder, seeds)
    print(f"{compared - len(found)} of {compared} calendars agree with ical.js", *found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""Which source events may rightly have no copy of their own, judged from the calendar alone.

Wider than the rules themselves on purpose: it finds what no rule explains, the runs' own counts do the rest.
"""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

type Json = dict[str, Any]

_MODIFICATIONS = {"extended", "extension", "early start", "started early", "late start", "started late"}
_SHORTENED = re.compile(r"\bshortened\b", re.IGNORECASE)
_VALID = re.compile(
    r"\S\s+[-\u2013\u2014]\s+(non-)?billable$|^(non-)?billable\s+[-\u2013\u2014]\s+\S", re.IGNORECASE
)
#: How far a modification may lie from its meeting (domain.md 4.1).
_BESIDE = timedelta(minutes=5)


def may_lack_a_copy(event: Json, calendar: Collection[Json], configuration: Mapping[str, Any]) -> bool:
    """Whether a rule could leave the event without a copy: 4.6, 2.7 or 5.3 of domain.md.

    A meeting beside a modification counts as overlapping: its times after it are not known here.
    """
    if _is_modification(event):
        return True
    if configuration.get("purpose") == "timesheet" and not _timesheet_takes(event):
        return True
    if configuration.get("overlap_policy") not in ("flag", "auto"):
        return False
    others = [other for other in calendar if other is not event]
    return any(_meet(event, other) for other in others)


def _is_modification(event: Json) -> bool:
    subject = " ".join(str(event["subject"]).casefold().split())
    return subject in _MODIFICATIONS or _SHORTENED.search(subject) is not None


def _timesheet_takes(event: Json) -> bool:
    # What counts as travel is a setting of the tenant: only billing is judged.
    if event.get("showAs") == "free":
        return False
    return any(_VALID.search(str(category).strip()) for category in event.get("categories") or [])


def _meet(event: Json, other: Json) -> bool:
    near = _BESIDE if _is_modification(other) else timedelta(0)
    (start, end), (other_start, other_end) = _span(event), _span(other)
    if near:
        return other_start - near <= end and start <= other_end + near
    return max(start, other_start) < min(end, other_end)


def _span(event: Json) -> tuple[datetime, datetime]:
    start, end = (
        datetime.fromisoformat(event[edge]["dateTime"][:26]).replace(tzinfo=UTC) for edge in ("start", "end")
    )
    return start, end

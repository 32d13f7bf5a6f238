"""The texts of a month: overlaps, modifications, and why something does not count (domain.md 2.20)."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from shared.domain.appointments.counting import WhyNot
from shared.domain.months.overlaps import MonthOverlap
from shared.domain.overlaps.rules import Verdict
from shared.domain.overlaps.status import OverlapStatus
from shared.domain.planning.modifications import Modification, ModificationKind

_MINUTE: Final = timedelta(minutes=1)
_KINDS: Final = {
    ModificationKind.EXTENDED: "Extended",
    ModificationKind.SHORTENED: "Shortened",
    ModificationKind.EARLY_START: "Started early",
    ModificationKind.LATE_START: "Started late",
}
WHY_NOT_WORDS: Final = {
    WhyNot.REMOVED_BY_OWNER: "you deleted the copy",
    WhyNot.SUPERSEDED: "another event represents the meeting",
    WhyNot.MERGED: "the same event twice, counted once",
    WhyNot.CONSUMED: "changed the times of a meeting",
    WhyNot.LEFT_OUT_BY_RESOLUTION: "left out by your decision about an overlap",
    WhyNot.WAITING: "wait for your decision",
    WhyNot.LEFT_OUT_BY_RULE: "left out by a rule",
    WhyNot.NOT_WRITTEN: "not archived yet",
    WhyNot.CANCELLED: "cancelled",
    WhyNot.DECLINED: "declined",
    WhyNot.ALL_DAY: "all-day",
    WhyNot.FREE: "shown as free",
}


def overlap_note(overlap: MonthOverlap) -> str:
    """What happened to a group of overlapping events."""
    match overlap.status:
        case OverlapStatus.FLAGGED:
            return "waits for your decision"
        case OverlapStatus.SETTLED:
            return "you decided"
        case OverlapStatus.EXPIRED:
            return "nobody decided in time, so all of it counts"
        case OverlapStatus.RESOLVED:
            dropped = [each.subject for each in overlap.members if each.verdict is Verdict.DROPPED]
            if not dropped or any(each.hidden for each in overlap.members):
                return "decided by rule"
            return f"decided by rule: without “{dropped[0]}”" + (
                f" and {len(dropped) - 1} more" if len(dropped) > 1 else ""
            )
        case _:
            return "all of it counts" if overlap.twice else "no time counts twice"


def modification_text(modification: Modification, start: datetime, end: datetime, zone: ZoneInfo) -> str:
    """How a modification changed its meeting. ``start`` and ``end`` are the meeting's times now."""
    minutes = (modification.end - modification.start) // _MINUTE
    name = _KINDS[modification.kind]
    if modification.kind in (ModificationKind.EXTENDED, ModificationKind.SHORTENED):
        return f"{name} ({minutes} minutes beside it): it ends at {end.astimezone(zone):%H:%M}"
    return f"{name} ({minutes} minutes beside it): it starts at {start.astimezone(zone):%H:%M}"

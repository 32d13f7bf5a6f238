"""Explains in words why a modification was not applied to any meeting (domain.md 4.1 to 4.6)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from shared.domain.planning.modifications import (
    REACH,
    TOLERANCE,
    Meeting,
    Modification,
    ModificationKind,
    modified,
)

#: Meetings whose edge is farther away are not named.
_NAMED = timedelta(hours=6)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class NamedMeeting:
    """A meeting with its subject."""

    subject: str
    meeting: Meeting


def why_orphan(modification: Modification, meetings: Iterable[NamedMeeting]) -> str:
    """The reason, as the rest of a sentence about the modification."""
    if modification.end - modification.start >= REACH:
        return "it is longer than a day, so it cannot belong to one meeting"
    near = sorted(
        (
            each
            for each in meetings
            if abs(modification.start - each.meeting.source_start) < REACH
            and _gap(modification, each.meeting) <= _NAMED
        ),
        key=lambda each: (_gap(modification, each.meeting), each.meeting.key),
    )
    fitting = [each for each in near if modified(each.meeting, modification) is not None]
    if len(fitting) > 1:
        first, second = fitting[:2]
        return f"“{first.subject}” and “{second.subject}” are equally near: which one it means is not clear"
    for each in near:
        unlabelled = replace(modification, categories=frozenset())
        if modified(each.meeting, unlabelled) is not None:
            return f"“{each.subject}” beside it has another category"
    edge = "starts" if _at_start(modification) else "ends"
    if not near:
        return f"no meeting {edge} near it"
    nearest = near[0]
    gap = _gap(modification, nearest.meeting)
    if gap <= TOLERANCE:
        return f"nothing would be left of “{nearest.subject}”"
    minutes = gap // _MINUTE
    allowed = TOLERANCE // _MINUTE
    return f"the nearest meeting, “{nearest.subject}”, {edge} {minutes} minutes away; {allowed} are allowed"


def _at_start(modification: Modification) -> bool:
    return modification.kind in (ModificationKind.EARLY_START, ModificationKind.LATE_START)


def _gap(modification: Modification, meeting: Meeting) -> timedelta:
    """The distance between the two edges that should meet."""
    match modification.kind:
        case ModificationKind.EXTENDED:
            return abs(modification.start - meeting.end)
        case ModificationKind.SHORTENED:
            if modification.start <= meeting.end <= modification.end:
                return timedelta()
            return min(abs(modification.start - meeting.end), abs(modification.end - meeting.end))
        case ModificationKind.EARLY_START:
            if modification.start <= meeting.start <= modification.end:
                return timedelta()
            return abs(modification.end - meeting.start)
        case ModificationKind.LATE_START:
            return abs(modification.start - meeting.start)

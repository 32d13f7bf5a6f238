"""Resolves a group of overlapping events by rule (domain.md 5.3, 5.4)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.overlaps.groups import Interval, overlap_groups

_IMPORTANCE = {"high": 2, "normal": 1, "low": 0}
_UNCONFIRMED = frozenset({"free", "tentative"})


class OverlapPolicy(StrEnum):
    """What a configuration does with overlaps (domain.md 5.3)."""

    KEEP_ALL = "keep_all"
    FLAG = "flag"
    AUTO = "auto"


class OverlapRule(StrEnum):
    """The automatic rules, in their order (domain.md 5.4)."""

    FREE = "free"
    TENTATIVE = "tentative"
    IMPORTANCE = "importance"


class Verdict(StrEnum):
    """The result for a member of a group."""

    KEPT = "kept"
    DROPPED = "dropped"
    FLAGGED = "flagged"


@dataclass(frozen=True, slots=True)
class Member:
    """An event of a group. ``archived`` members already have a copy and are never dropped (domain.md 5.9)."""

    interval: Interval
    show_as: str
    importance: str
    archived: bool = False

    @property
    def key(self) -> str:
        """The event's key."""
        return self.interval.key

    @property
    def confirmed(self) -> bool:
        """``busy``, ``oof``, ``workingElsewhere``, and ``unknown``, which counts as busy (domain.md 5.1)."""
        return self.show_as not in _UNCONFIRMED


@dataclass(frozen=True, slots=True)
class ResolutionStep:
    """One line of the resolution log: the rule dropped ``key`` because it overlaps ``because_of``."""

    rule: OverlapRule
    key: str
    because_of: str
    reason: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """The verdict on each member by key, and the steps that led to it, in order."""

    verdicts: dict[str, Verdict]
    log: tuple[ResolutionStep, ...]


def resolve(members: Sequence[Member], policy: OverlapPolicy) -> Resolution:
    """Resolve one group. Archived members are kept whatever the policy is (domain.md 5.9).

    ``keep_all`` keeps everything. ``flag`` flags everything that is not archived. ``auto`` applies the rules
    and flags what still overlaps. A rule drops only events that overlap the preferred event. An event that
    overlapped only a dropped one is kept (domain.md 5.4).
    """
    if policy is OverlapPolicy.KEEP_ALL:
        return Resolution({member.key: Verdict.KEPT for member in members}, ())
    if policy is OverlapPolicy.FLAG:
        return Resolution(_waiting(members), ())
    verdicts: dict[str, Verdict] = {}
    log: list[ResolutionStep] = []
    groups = [list(members)]
    while groups:
        group = groups.pop()
        if len(group) == 1:
            verdicts[group[0].key] = Verdict.KEPT
            continue
        steps = _next_steps(group)
        if not steps:
            verdicts |= _waiting(group)
            continue
        log += steps
        dropped = {step.key for step in steps}
        verdicts |= dict.fromkeys(dropped, Verdict.DROPPED)
        groups += _components(member for member in group if member.key not in dropped)
    return Resolution(verdicts, tuple(log))


def _waiting(members: Iterable[Member]) -> dict[str, Verdict]:
    return {member.key: Verdict.KEPT if member.archived else Verdict.FLAGGED for member in members}


def _components(members: Iterable[Member]) -> list[list[Member]]:
    """The groups among the members, latest first, so that they are processed in time order."""
    by_key = {member.key: member for member in members}
    together = overlap_groups(member.interval for member in by_key.values())
    grouped = {interval.key for group in together for interval in group}
    alone = [[member] for key, member in by_key.items() if key not in grouped]
    groups = [[by_key[interval.key] for interval in group] for group in together]
    return alone + groups[::-1]


def _next_steps(group: list[Member]) -> list[ResolutionStep]:
    """What the first applicable rule drops from the group.

    Nothing if it would drop an archived event, because later rules would only work around that.
    """
    archived = {member.key for member in group if member.archived}
    steps = _free(group) or _tentative(group)
    if steps:
        return [step for step in steps if step.key not in archived]
    steps = _importance(group)
    return [] if any(step.key in archived for step in steps) else steps


def _free(group: list[Member]) -> list[ResolutionStep]:
    free = [member for member in group if member.show_as == "free"]
    taken = [member for member in group if member.show_as != "free"]
    if not taken:
        return _drops(OverlapRule.FREE, free, free, "free time takes up no time")
    return _drops(OverlapRule.FREE, free, taken, "free time gives way to time that is taken")


def _tentative(group: list[Member]) -> list[ResolutionStep]:
    tentative = [member for member in group if member.show_as == "tentative"]
    confirmed = [member for member in group if member.confirmed]
    return _drops(OverlapRule.TENTATIVE, tentative, confirmed, "tentative gives way to confirmed")


def _importance(group: list[Member]) -> list[ResolutionStep]:
    highest = max(map(_rank, group))
    best = [member for member in group if _rank(member) == highest]
    if len(best) != 1:
        return []
    rest = [member for member in group if member.key != best[0].key]
    return _drops(OverlapRule.IMPORTANCE, rest, best, "gives way to the single highest importance")


def _drops(
    rule: OverlapRule, candidates: Sequence[Member], preferred: Sequence[Member], reason: str
) -> list[ResolutionStep]:
    """One step for each candidate that overlaps a preferred event."""
    overlapped = _overlapped(candidates, preferred)
    return [
        ResolutionStep(rule, member.key, overlapped[member.key], reason)
        for member in candidates
        if member.key in overlapped
    ]


def _overlapped(candidates: Sequence[Member], preferred: Sequence[Member]) -> dict[str, str]:
    """For each candidate, one other preferred event that it overlaps, if any.

    Look at the preferred events that start before the candidate ends. If any of them overlaps it, the one
    that ends last does. So one pass over both lists is enough. Two are kept, because a candidate does not
    overlap itself.
    """
    found: dict[str, str] = {}
    opening = sorted((member.interval for member in preferred), key=lambda i: (i.start, i.key))
    position = 0
    latest: list[Interval] = []
    for interval in sorted((member.interval for member in candidates), key=lambda i: (i.end, i.key)):
        while position < len(opening) and opening[position].start < interval.end:
            latest = sorted([*latest, opening[position]], key=lambda i: (i.end, i.key))[-2:]
            position += 1
        for other in reversed(latest):
            if other.key != interval.key and other.end > interval.start:
                found[interval.key] = other.key
                break
    return found


def _rank(member: Member) -> int:
    return _IMPORTANCE.get(member.importance, _IMPORTANCE["normal"])

"""Groups of overlapping events in a month: their cost, and what the rules propose (domain.md 5.2 to 5.6)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from shared.domain.categories.statistics import CountedEvent, Tally, tally
from shared.domain.overlaps.groups import Interval
from shared.domain.overlaps.rules import Member, OverlapPolicy, Verdict, resolve
from shared.domain.overlaps.status import OverlapStatus


@dataclass(frozen=True, slots=True)
class MonthOverlapMember:
    """An event of a group, UTC. For a ``hidden`` event only the times are known (6.3)."""

    key: str
    appointment_id: UUID | None
    subject: str
    start: datetime
    end: datetime
    categories: tuple[str, ...]
    show_as: str
    importance: str
    verdict: Verdict
    kept: bool | None
    counts: bool
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """The keys that the rules would keep and drop. ``reason`` comes from the rules."""

    keep: tuple[str, ...]
    drop: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class MonthOverlap:
    """A group of overlapping events."""

    id: UUID
    configuration_id: UUID
    status: OverlapStatus
    members: tuple[MonthOverlapMember, ...]

    @property
    def start(self) -> datetime:
        """The first start."""
        return min(member.start for member in self.members)

    @property
    def end(self) -> datetime:
        """The last end."""
        return max(member.end for member in self.members)

    @property
    def waits(self) -> bool:
        """Whether its owner must decide before its events are archived."""
        return self.status is OverlapStatus.FLAGGED

    @property
    def twice(self) -> timedelta:
        """The time that counts more than once."""
        found = self._tally(member for member in self.members if member.counts)
        return found.time - found.net

    @property
    def waiting(self) -> timedelta:
        """The net time of its events that do not count until somebody decides."""
        if not self.waits:
            return timedelta()
        return self._tally(
            member for member in self.members if not member.counts and member.verdict is Verdict.FLAGGED
        ).net

    def proposal(self) -> Proposal | None:
        """What the automatic rules would do. None if they leave everything to the owner.

        Also None if a member is hidden, because the proposal would reveal something about it.
        """
        if any(member.hidden for member in self.members):
            return None
        found = resolve(
            [
                Member(Interval(each.key, each.start, each.end), each.show_as, each.importance)
                for each in self.members
            ],
            OverlapPolicy.AUTO,
        )
        if not found.log:
            return None
        kept = tuple(each.key for each in self.members if found.verdicts[each.key] is not Verdict.DROPPED)
        dropped = tuple(each.key for each in self.members if found.verdicts[each.key] is Verdict.DROPPED)
        return Proposal(kept, dropped, "; ".join(dict.fromkeys(step.reason for step in found.log)))

    @staticmethod
    def _tally(members: Iterable[MonthOverlapMember]) -> Tally:
        return tally(CountedEvent(member.start, member.end) for member in members)


def distinct(overlaps: Sequence[MonthOverlap]) -> list[MonthOverlap]:
    """Each group once. The same events may be in several archives and wait in one of them.

    The waiting group is preferred. Sorted by start.
    """
    ranked = sorted(overlaps, key=lambda each: (not each.waits, str(each.id)))
    first: dict[frozenset[str], MonthOverlap] = {}
    for each in ranked:
        first.setdefault(frozenset(member.key for member in each.members), each)
    return sorted(first.values(), key=lambda each: (each.start, each.end, str(each.id)))

"""What a run reports (domain.md 2.13)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from shared.domain.json_object import JsonObject


class Outcome(StrEnum):
    """The result for a source event. Each event has exactly one."""

    ARCHIVED = "archived"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    MERGED = "merged"
    CONSUMED = "consumed"
    LEFT_OUT = "left_out"
    FLAGGED = "flagged"
    LOCKED = "locked"
    CONFLICT = "conflict"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeReport:
    """The counts of one run: events by outcome, other results, and cost.

    ``source`` is the number of source events of the run. ``seconds`` is its duration.
    """

    source: int
    archived: int = 0
    updated: int = 0
    unchanged: int = 0
    merged: int = 0
    consumed: int = 0
    left_out: int = 0
    flagged: int = 0
    locked: int = 0
    conflict: int = 0
    failed: int = 0
    overlaps_resolved: int = 0
    modifications_applied: int = 0
    orphan_modifications: int = 0
    category_issues: int = 0
    graph_requests: int = 0
    round_trips: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, source: int, outcomes: Mapping[Outcome, int], **beside: Any) -> "OutcomeReport":
        """The report of ``source`` events with their counts by outcome. Other fields are given by name."""
        return cls(source=source, **{str(outcome): count for outcome, count in outcomes.items()}, **beside)

    def count(self, outcome: Outcome) -> int:
        """How many events ended with ``outcome``."""
        return int(getattr(self, outcome.value))

    @property
    def adds_up(self) -> bool:
        """Whether every source event is in exactly one outcome, as far as counts can show."""
        return sum(map(self.count, Outcome)) == self.source

    def to_json(self) -> JsonObject:
        """All fields by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class StoredReport:
    """The report of a run that ended, as it is stored."""

    outcomes: OutcomeReport
    #: Why it ended early.
    reason: str | None
    #: Further counts, by name.
    beside: Mapping[str, int] = field(default_factory=dict)
    #: The outcomes of private events. None for a run that did not begin.
    private_outcomes: Mapping[Outcome, int] | None = None
    #: Whether the cost reveals to others which private events were written (6.3).
    cost_tells: bool = False

    def to_json(self) -> JsonObject:
        """The counts by name in one object, with the rest beside them."""
        found = {**self.outcomes.to_json(), **self.beside, "reason": self.reason}
        if self.private_outcomes is not None:
            found["private_outcomes"] = {
                str(key): count for key, count in self.private_outcomes.items() if count
            }
            found["cost_tells"] = self.cost_tells
        return found

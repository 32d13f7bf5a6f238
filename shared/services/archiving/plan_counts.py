"""What planning found (domain.md 2.13)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.domain.runs.outcome import Outcome

CALENDAR_NOT_FOUND = "calendar_not_found"
CALENDAR_REFUSED = "calendar_refused"
"""Why a plan could read nothing, where nothing more can be said: what it is to read is gone, or refused."""


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """What planning found. ``planned`` operations are written next; ``refused`` says why nothing could be.

    ``unsettled`` events have an operation of another run under way. ``gone``: what is to be read or written
    does not exist any more, or may not be named any more, so that trying again is no use. ``code`` names the
    reason. ``new_category_issues`` are those of events that no earlier run saw as they are now. ``private``
    says how many of the first counts are private events. ``unreadable`` events could not be understood; each
    of the first of them is in ``unreadable_events`` with what is known of it, its error code, and since when
    it could not be read. ``new_unreadable`` of them could be read, or were not there, before.
    ``series_questions``: about how many changed series their owner is asked (2.17). ``read_at``: when the
    pages that it rests on began to be read (ISO 8601, UTC).
    """

    source: int = 0
    planned: int = 0
    unchanged: int = 0
    merged: int = 0
    consumed: int = 0
    left_out: int = 0
    flagged: int = 0
    conflict: int = 0
    unsettled: int = 0
    unreadable: int = 0
    new_unreadable: int = 0
    overlaps_resolved: int = 0
    overlaps_flagged: int = 0
    overlaps_recorded: int = 0
    modifications_applied: int = 0
    orphan_modifications: int = 0
    category_issues: int = 0
    new_category_issues: int = 0
    source_deleted: int = 0
    repointed: int = 0
    ambiguous: int = 0
    zones_reported: int = 0
    series_questions: int = 0
    private: dict[str, int] = field(default_factory=dict)
    unreadable_events: list[dict[str, Any]] = field(default_factory=list)
    refused: str | None = None
    gone: bool = False
    code: str | None = None
    read_at: str | None = None


_PLANNED_OUTCOMES = {
    "unchanged": Outcome.UNCHANGED,
    "merged": Outcome.MERGED,
    "consumed": Outcome.CONSUMED,
    "left_out": Outcome.LEFT_OUT,
    "flagged": Outcome.FLAGGED,
    "conflict": Outcome.CONFLICT,
    "unsettled": Outcome.FAILED,
    "unreadable": Outcome.FAILED,
}


def planned_outcomes(counts: Mapping[str, Any]) -> Counter[Outcome]:
    """Outcomes that are known when the plan is made, from its counts by name."""
    outcomes: Counter[Outcome] = Counter()
    for name, outcome in _PLANNED_OUTCOMES.items():
        outcomes[outcome] += counts.get(name, 0)
    return outcomes

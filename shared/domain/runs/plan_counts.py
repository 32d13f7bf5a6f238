"""What planning found (domain.md 2.13)."""

from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from typing import Self

from shared.domain.json_object import JsonObject
from shared.domain.runs.outcome import Outcome
from shared.domain.runs.unread import ListedUnread

CALENDAR_NOT_FOUND = "calendar_not_found"
CALENDAR_REFUSED = "calendar_refused"
"""Why a plan could read nothing, if no more is known: the calendar is gone, or access is refused."""


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """What planning found."""

    source: int = 0
    #: Operations to write next.
    planned: int = 0
    unchanged: int = 0
    merged: int = 0
    consumed: int = 0
    left_out: int = 0
    flagged: int = 0
    conflict: int = 0
    #: Events that have an operation of another run in flight.
    unsettled: int = 0
    #: Events that could not be understood.
    unreadable: int = 0
    #: Unreadable events that earlier could be read, or did not exist.
    new_unreadable: int = 0
    overlaps_resolved: int = 0
    overlaps_flagged: int = 0
    overlaps_recorded: int = 0
    modifications_applied: int = 0
    orphan_modifications: int = 0
    category_issues: int = 0
    #: Issues of events that no earlier run saw in their present form.
    new_category_issues: int = 0
    source_deleted: int = 0
    repointed: int = 0
    ambiguous: int = 0
    zones_reported: int = 0
    #: The number of changed series that the owner is asked about (2.17).
    series_questions: int = 0
    #: How many events of the counts above are private, by count name.
    private: dict[str, int] = field(default_factory=dict)
    #: The first unreadable events: what is known, the error code, and since when.
    unreadable_events: list[ListedUnread] = field(default_factory=list)
    #: Why nothing could be planned.
    refused: str | None = None
    #: The calendar is gone or may no longer be named, so a retry is useless.
    gone: bool = False
    #: The reason code of ``refused``.
    code: str | None = None
    #: When reading the pages of this plan began (ISO 8601, UTC).
    read_at: str | None = None

    def to_json(self) -> JsonObject:
        """The form that ``stored`` reads."""
        return asdict(self)

    @classmethod
    def stored(cls, plan: JsonObject | None) -> Self:
        """The counts of a stored plan. A newer version may have stored fields that this one does not know."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in (plan or {}).items() if name in known})


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


def planned_outcomes(counts: JsonObject) -> Counter[Outcome]:
    """Outcomes that are known when the plan is made, from a stored plan or a part of its counts."""
    outcomes: Counter[Outcome] = Counter()
    for name, outcome in _PLANNED_OUTCOMES.items():
        outcomes[outcome] += counts.get(name, 0)
    return outcomes

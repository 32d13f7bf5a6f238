"""What a configuration wants from its archive, as planning needs it (domain.md 2.7, 5.3, 6)."""

from dataclasses import dataclass

from shared.domain.overlaps.rules import OverlapPolicy
from shared.domain.planning.purpose import Purpose
from shared.domain.planning.travel import DEFAULT_TRAVEL_WORDS


@dataclass(frozen=True, slots=True)
class PlanPolicies:
    """The policies of one configuration. The default archives everything unchanged (domain.md 5.3)."""

    purpose: Purpose = Purpose.GENERAL
    overlap_policy: OverlapPolicy = OverlapPolicy.KEEP_ALL
    #: Whether entries such as "Extended" change the meeting beside them (domain.md 4) or are archived
    #: unchanged.
    modifications: bool = True
    all_day_counts: bool = False
    privacy_automation: bool = False
    out_of_office: bool = False
    travel_words: tuple[str, ...] = DEFAULT_TRAVEL_WORDS


def default_overlap_policy(purpose: Purpose) -> OverlapPolicy:
    """The default policy of a configuration (domain.md 5.3)."""
    return OverlapPolicy.AUTO if purpose is Purpose.TIMESHEET else OverlapPolicy.KEEP_ALL

"""What a configuration wants of its archive, as far as planning needs it (domain.md 2.7, 5.3, 6)."""

from dataclasses import dataclass

from shared.domain.overlaps.rules import OverlapPolicy
from shared.domain.planning.purpose import Purpose
from shared.domain.planning.travel import DEFAULT_TRAVEL_WORDS


@dataclass(frozen=True, slots=True)
class PlanPolicies:
    """The policies of one configuration; the default archives everything as it is (domain.md 5.3).

    ``modifications``: whether entries such as "Extended" change the meeting beside them (domain.md 4) or
    are archived as they are.
    """

    purpose: Purpose = Purpose.GENERAL
    overlap_policy: OverlapPolicy = OverlapPolicy.KEEP_ALL
    modifications: bool = True
    all_day_counts: bool = False
    privacy_automation: bool = False
    out_of_office: bool = False
    travel_words: tuple[str, ...] = DEFAULT_TRAVEL_WORDS


def default_overlap_policy(purpose: Purpose) -> OverlapPolicy:
    """The policy of a configuration that names none (domain.md 5.3)."""
    return OverlapPolicy.AUTO if purpose is Purpose.TIMESHEET else OverlapPolicy.KEEP_ALL

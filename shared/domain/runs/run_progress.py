"""The progress of a run, in whole percent that never decreases."""

from datetime import timedelta
from enum import StrEnum

#: Where planning ends and writing begins, and where writing ends. The rest is reconciling and the report.
PLANNING_BEGINS, WRITING_BEGINS, WRITING_ENDS, FINISHING = 2, 20, 95, 98

#: The polling interval. A longer one reports late, a shorter one only costs.
SHORTEST_PAUSE, LONGEST_PAUSE = 1, 30


class RunStep(StrEnum):
    """The current step of a run."""

    SETTLING = "settling"
    PLANNING = "planning"
    APPLYING = "applying"
    FINISHING = "finishing"
    FINISHED = "finished"


def planning_percent(fraction: float) -> int:
    """Progress while planning. ``fraction`` of the window (0 to 1) was read."""
    share = min(max(fraction, 0.0), 1.0)
    return PLANNING_BEGINS + int(share * (WRITING_BEGINS - PLANNING_BEGINS))


def applying_percent(planned: int, done: int) -> int:
    """Progress while writing: ``done`` of the ``planned`` writes reached a final state."""
    if planned <= 0:
        return WRITING_ENDS
    return WRITING_BEGINS + (WRITING_ENDS - WRITING_BEGINS) * min(max(done, 0), planned) // planned


def ask_again_seconds(elapsed: timedelta, percent: int) -> int:
    """When to ask again about a run that reached ``percent`` in ``elapsed``: when it may be over."""
    if percent <= 0:
        return SHORTEST_PAUSE
    left = elapsed.total_seconds() * (100 - percent) / percent
    return min(max(round(left), SHORTEST_PAUSE), LONGEST_PAUSE)

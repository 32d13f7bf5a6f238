"""How far a run is, in whole percent that never goes down."""

from datetime import timedelta
from enum import StrEnum

#: Where planning ends and writing begins, where writing ends; the rest is settling and the report.
PLANNING_BEGINS, WRITING_BEGINS, WRITING_ENDS, FINISHING = 2, 20, 95, 98

#: Between two looks at a run: whoever waits longer is told late, whoever waits less only costs.
SHORTEST_PAUSE, LONGEST_PAUSE = 1, 30


class RunStep(StrEnum):
    """What a run is doing."""

    SETTLING = "settling"
    PLANNING = "planning"
    APPLYING = "applying"
    FINISHING = "finishing"
    FINISHED = "finished"


def planning_percent(fraction: float) -> int:
    """While planning; ``fraction`` of the window, 0 to 1, was read."""
    share = min(max(fraction, 0.0), 1.0)
    return PLANNING_BEGINS + int(share * (WRITING_BEGINS - PLANNING_BEGINS))


def applying_percent(planned: int, done: int) -> int:
    """While writing: ``done`` of the ``planned`` writes reached their end, whichever."""
    if planned <= 0:
        return WRITING_ENDS
    return WRITING_BEGINS + (WRITING_ENDS - WRITING_BEGINS) * min(max(done, 0), planned) // planned


def ask_again_seconds(elapsed: timedelta, percent: int) -> int:
    """When to look at a run again that came to ``percent`` in ``elapsed``: when it may be over."""
    if percent <= 0:
        return SHORTEST_PAUSE
    left = elapsed.total_seconds() * (100 - percent) / percent
    return min(max(round(left), SHORTEST_PAUSE), LONGEST_PAUSE)

"""What goes wrong with processes."""

from enum import StrEnum


class Mishap(StrEnum):
    """Every kind of fault of the processes that a world may have."""

    CRASH_AT_CALL = "host: crash at a database call"
    CRASH_AT_TIME = "host: crash at any moment"
    CANCELLED = "host: shut down while at work"
    TWIN = "host: activity executed twice at once"
    ZOMBIE = "host: activity still executed after its message came again"
    DOUBLE_START = "host: orchestration started twice"
    CLOCK_STEP = "host: clock set by seconds"
    CLOCK_JUMP = "host: clock jumps by minutes"

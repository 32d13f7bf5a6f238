"""Work that nobody asked for at this moment: timers act in the name of the system."""

from contextlib import AbstractContextManager

from shared import telemetry
from shared.domain.identity.caller import Caller


def acting_as(caller: Caller) -> AbstractContextManager[None]:
    """What follows is audited as the caller's, under a correlation of its own."""
    return telemetry.bind(
        caller=caller,
        correlation=telemetry.new_correlation_id(),
        parent_correlation=telemetry.correlation_id.get() or None,
    )

"""Work without a request: timers act as the system."""

from contextlib import AbstractContextManager

from shared import telemetry
from shared.domain.identity.caller import Caller


def acting_as(caller: Caller) -> AbstractContextManager[None]:
    """What follows is audited for this caller, with a new correlation id."""
    return telemetry.bind(
        caller=caller,
        correlation=telemetry.new_correlation_id(),
        parent_correlation=telemetry.correlation_id.get() or None,
    )

"""Builds the services, once per worker, and closes what they hold open.

The rooms of ``shared/composition`` build each service on first use. Heavy modules load then (cold start).
"""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition import (
    approvals,
    archiving,
    calendars,
    foundations,
    identity,
    notifications,
    operation,
    people,
    review,
    verifying,
)

if TYPE_CHECKING:
    from shared.services.operation.dispatching import Dispatcher


class Application:
    """The services of one worker, on one event loop, by room."""

    def __init__(self, base: foundations.Foundations | None = None) -> None:
        self.foundations = base = base or foundations.Foundations()
        self.identity = identity.build(base)
        self.calendars = calendars.build(base)
        self.verifying = verifying.build(base)
        self.archiving = archiving.build(base, self.verifying)
        self.review = review.build(base)
        self.notifications = notifications.build(base)
        self.approvals = approvals.build(base)
        self.people = people.build(base, self.identity)
        self.operation = operation.build(base, self.identity)

    @cached_property
    def dispatcher(self) -> "Dispatcher":
        """What does everything that is due."""
        from shared.composition import dispatching

        return dispatching.build(
            self.foundations,
            archiving=self.archiving,
            verifying=self.verifying,
            review=self.review,
            notifications=self.notifications,
            approvals=self.approvals,
            people=self.people,
            operation=self.operation,
        )

    async def close(self) -> None:
        """See Foundations.close."""
        await self.foundations.close()


_current: Application | None = None


def get_application() -> Application:
    """The worker's application, built on the first call."""
    global _current
    if _current is None:
        _current = Application()
    return _current


def use_application(application: Application | None) -> Application | None:
    """Replace the worker's application. Returns the previous one."""
    global _current
    before, _current = _current, application
    return before

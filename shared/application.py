"""Builds the services, once per worker, and closes what they hold open.

Each part is built on first use and can be replaced in tests: ``Application(settings, clock=…, database=…)``.
Heavy modules load inside the factories (cold start).
"""

from shared.composition.calendars import CalendarParts
from shared.composition.operation import OperationParts


class Application(OperationParts, CalendarParts):
    """The services of one worker, on one event loop."""


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

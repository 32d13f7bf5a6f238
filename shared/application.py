"""Builds the services, once per worker, and closes what they hold open.

The rooms of ``shared/composition`` build each service on first use. Heavy modules load then (cold start).
"""

from shared.composition import archiving, calendars, foundations, operation, people, review


class Application:
    """The services of one worker, on one event loop, by room."""

    def __init__(self, base: foundations.Foundations | None = None) -> None:
        self.foundations = base = base or foundations.Foundations()
        self.archiving = archiving.build(base)
        self.calendars = calendars.build(base)
        self.review = review.build(base)
        self.people = people.build(base)
        self.operation = operation.build(base, self.archiving, self.review, self.people)

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

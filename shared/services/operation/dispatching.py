"""The one dispatcher of the app. It starts what is due (domain.md 8.2; design.md, Start).

One timer calls ``tick``. Every duty may run twice, even at the same time. A duty that fails does not block
the others. The next tick retries it.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Protocol
from uuid import UUID

from shared.clock import Clock

logger = logging.getLogger(__name__)


class Work(StrEnum):
    """The kinds of work that orchestrations carry out."""

    ARCHIVE_RUN = "archive_run"
    VERIFICATION = "verification"
    USER_EXPORT = "user_export"
    USER_ERASURE = "user_erasure"


type Claim = Callable[[], Awaitable[Sequence[UUID]]]
type Duty = Callable[[], Awaitable[object]]


class Orchestrations(Protocol):
    """Starts orchestrations, and checks whether they are alive."""

    async def start(self, work: Work, ids: Sequence[UUID]) -> None:
        """Start an orchestration for each. One that is running already is left alone."""
        ...

    async def look_after(self, work: Work, ids: Sequence[UUID]) -> None:
        """Start those again whose orchestration is missing, failed or over."""
        ...


class Dispatcher:
    """Claims what is due, restarts work without an orchestration, and does the other duties."""

    def __init__(
        self,
        claims: Sequence[tuple[Work, str, Claim]],
        driven: Mapping[Work, Claim],
        duties: Mapping[str, Duty],
        hourly: Mapping[str, Duty],
        clock: Clock,
    ) -> None:
        """``claims`` return in order what to start. ``driven`` returns what needs a living orchestration.

        ``duties`` need no orchestration. ``hourly`` duties cost too much for every tick, so each process does
        them once an hour and at its first tick. Texts name a step in the log.
        """
        self._claims = claims
        self._driven = driven
        self._duties = duties
        self._hourly = hourly
        self._clock = clock
        self._hour_begun: datetime | None = None

    async def tick(self, orchestrations: Orchestrations) -> None:
        """Do everything that is due now. Raises the first error after all the rest is done."""
        failures: list[Exception] = []

        async def step(name: str, do: Duty) -> None:
            try:
                await do()
            except Exception as failure:
                logger.exception("a duty failed", extra={"duty": name})
                failures.append(failure)

        for work, name, claim in self._claims:
            await step(name, partial(_start, orchestrations, work, claim))
        for work, to_drive in self._driven.items():
            await step(f"drive {work}", partial(_look_after, orchestrations, work, to_drive))
        for name, duty in {**self._duties, **self._of_the_hour()}.items():
            await step(name, duty)
        if failures:
            raise failures[0]

    def _of_the_hour(self) -> Mapping[str, Duty]:
        now = self._clock.now()
        if self._hour_begun is not None and now - self._hour_begun < timedelta(hours=1):
            return {}
        self._hour_begun = now
        return self._hourly


async def _start(orchestrations: Orchestrations, work: Work, claim: Claim) -> None:
    if ids := await claim():
        await orchestrations.start(work, ids)


async def _look_after(orchestrations: Orchestrations, work: Work, to_drive: Claim) -> None:
    if ids := await to_drive():
        await orchestrations.look_after(work, ids)

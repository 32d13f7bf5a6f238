"""What a few worlds do on purpose, because edits at random hardly ever do it."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from infra.local.graph_simulator.state.model import Event
from shared.domain.runs.archive_run import RunMode
from tests.simulation.entries import DAYS
from tests.simulation.mailbox import Person

type Request = Callable[[datetime, datetime, RunMode], Awaitable[None]]
type Rest = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Story:
    """A person enters something before the first run of a world, and changes it after the first round.

    A story has random numbers of its own. It is about past days. Other edits may change what was entered.
    """

    #: One world of this many has the story.
    every: ClassVar[int]
    #: Whether a series is entered.
    of_series: ClassVar[bool]
    rng: random.Random
    person: Person
    first_day: datetime
    here: bool = field(default=False, init=False)
    entered: Event | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.here = self.rng.randrange(self.every) == 0

    @property
    def days(self) -> tuple[datetime, datetime]:
        """The window of its runs, UTC."""
        return self.first_day, self.first_day + timedelta(days=DAYS)

    async def is_archived(self, request: Request, rest: Rest) -> bool:
        """Archive what was entered, once. Returns False if there is nothing to change.

        It may be deleted, moved to another calendar, or turned from a series into a single event or back.
        """
        if not self.here or self.entered is None:
            return False
        self.here = False
        await request(*self.days, RunMode.NORMAL)
        await rest()
        there = self.entered in self.person.events()
        return there and (self.entered.recurrence is not None) is self.of_series

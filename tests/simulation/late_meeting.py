"""A person first enters how a meeting went, and enters the meeting itself later (domain.md 4.6)."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from infra.local.graph_simulator.graph.rendering import raw_json
from infra.local.graph_simulator.state.model import Event
from shared.domain.runs.archive_run import RunMode
from tests.simulation.entries import DAYS, times_of
from tests.simulation.mailbox import Person

#: In one world of this many.
_EVERY: Final = 12


@dataclass(slots=True)
class LateMeeting:
    """What a person does before the first run of a world, and after its first round.

    It draws from a stream of its own. The day of the entry is over. Any edit may change the entry in between.
    """

    rng: random.Random
    person: Person
    first_day: datetime
    _here: bool = False
    _entry: Event | None = None

    def __post_init__(self) -> None:
        self._here = self.rng.randrange(_EVERY) == 0

    async def begin(self) -> None:
        """Enter that a meeting took longer, which nobody entered yet."""
        if self._here and self._entry is None:
            await self.person.do(self.enter_extension_alone)

    async def happen(
        self,
        request: Callable[[datetime, datetime, RunMode], Awaitable[None]],
        rest: Callable[[], Awaitable[None]],
    ) -> None:
        """Archive the entry alone, enter its meeting and archive both."""
        if not self._here or self._entry is None:
            return
        self._here = False
        days = self.first_day, self.first_day + timedelta(days=DAYS)
        await request(*days, RunMode.NORMAL)
        await rest()
        if self._entry not in self.person.events() or self._entry.recurrence is not None:
            # It was deleted, moved to another calendar, or made a series.
            return
        await self.person.do(self.enter_meeting_of_extension)
        await request(*days, RunMode.NORMAL)
        await rest()

    def enter_extension_alone(self) -> None:
        """On some morning that is over."""
        start = self.first_day + timedelta(days=self.rng.randrange(1, 6), hours=self.rng.randrange(4, 12))
        self._entry = self._enter("Extended", start, timedelta(minutes=30))

    def enter_meeting_of_extension(self) -> None:
        """An hour that ends where its extension begins."""
        if self._entry is not None:
            begins = datetime.fromisoformat(raw_json(self._entry)["start"]["dateTime"])
            self._enter("Workshop", begins - timedelta(hours=1), timedelta(hours=1))

    def _enter(self, subject: str, start: datetime, length: timedelta) -> Event:
        number = self.person.entries.new_meeting()
        entered = self.person.enter(
            {
                "subject": subject,
                "body": {"contentType": "html", "content": f"<p>Notes of meeting {number}</p>"},
                **times_of(start, start + length, "UTC"),
                "showAs": "busy",
            }
        )
        self.person.meetings[number] += 1
        return entered

"""A meeting of a series is dragged to the next day. Later the whole series moves there (domain.md 2.17)."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from infra.local.graph_simulator.graph.rendering import raw_json
from infra.local.graph_simulator.state.model import Event
from shared.domain.runs.archive_run import RunMode
from tests.simulation.entries import DAYS, shifted, times_of
from tests.simulation.mailbox import Person
from tests.simulation.requesting import Requests

#: In one world of this many.
_EVERY: Final = 10
# The share of people who request a replace run. Of the others, the share who answer *take the series*.
_REPLACING: Final = 0.2
_TAKING: Final = 0.8
#: An answer that a fault prevented is given again, at most this often.
_MOST_ANSWERS: Final = 3
_FAR: Final = 10**17


@dataclass(slots=True)
class DraggedSeries:
    """What a person does before the first run of a world, and after its first round.

    It draws from a stream of its own. The days of the series are over when it is entered, and so are those
    that it moves to. Until then it is a series like others: any edit may change it.
    """

    rng: random.Random
    person: Person
    requests: Requests
    first_day: datetime
    _here: bool = False
    _series: Event | None = None

    def __post_init__(self) -> None:
        self._here = self.rng.randrange(_EVERY) == 0

    async def begin(self) -> None:
        """Enter a series of every second day, and drag one of its meetings to the day after."""
        if self._here and self._series is None:
            await self.person.do(self.enter_every_second_day)
            await self.person.do(self.drag_to_the_day_between)

    async def happen(
        self,
        request: Callable[[datetime, datetime, RunMode], Awaitable[None]],
        rest: Callable[[], Awaitable[None]],
    ) -> None:
        """Archive the series, move it by a day, archive it again and say which of both is right."""
        if not self._here or self._series is None:
            return
        self._here = False
        days = self.first_day, self.first_day + timedelta(days=DAYS)
        await request(*days, RunMode.NORMAL)
        await rest()
        if self._series not in self.person.events() or self._series.recurrence is None:
            # It was deleted, moved to another calendar, or made a single event.
            return
        await self.person.do(self.move_onto_the_dragged_day)
        replaces = self.rng.random() < _REPLACING
        await request(*days, RunMode.REPLACE if replaces else RunMode.NORMAL)
        await rest()
        if not replaces:
            await self._answer()
            await rest()

    def enter_every_second_day(self) -> None:
        """Two or three meetings in some week that is over."""
        rng, number = self.rng, self.person.entries.new_meeting()
        start = self.first_day + timedelta(days=rng.randrange(1, 4), hours=rng.randrange(7, 17))
        count, zone = rng.choice((2, 3)), rng.choice(("UTC", "Europe/Berlin", "America/New_York"))
        times = times_of(start, start + timedelta(minutes=rng.choice((30, 60, 90))), zone)
        span = {
            "type": "numbered",
            "startDate": times["start"]["dateTime"][:10],
            "numberOfOccurrences": count,
            "recurrenceTimeZone": zone,
        }
        self._series = self.person.enter(
            {
                "subject": f"Round {number}",
                "body": {"contentType": "html", "content": f"<p>Rounds of meeting {number}</p>"},
                **times,
                "showAs": rng.choice(("busy", "tentative")),
                "categories": [rng.choice(("Acme - billable", "Beta - non-billable"))],
                "recurrence": {"pattern": {"type": "daily", "interval": 2}, "range": span},
            }
        )
        self.person.meetings[number] += count

    def drag_to_the_day_between(self) -> None:
        """One meeting, an hour earlier or later than on its own day."""
        if self._series is not None:
            occurrence = self.rng.choice(list(self._series.occurrences(_FAR)))
            by = timedelta(hours=self.rng.choice((23, 25)))
            self.person.patch(occurrence, **shifted(occurrence, by))
            self._more()

    def move_onto_the_dragged_day(self) -> None:
        """Every meeting a day later: the one that was dragged is back at the time of the others."""
        if self._series is not None:
            self.person.patch(self._series, **shifted(self._series, timedelta(days=1)))
            self._more()

    async def _answer(self) -> None:
        if self._series is not None:
            takes, series = self.rng.random() < _TAKING, str(raw_json(self._series)["id"])
            for _ in range(_MOST_ANSWERS):
                if await self.requests.answer_about(series, takes=takes):
                    return

    def _more(self) -> None:
        if self._series is not None:
            self.person.meetings[self.person.about(self._series)] += 1

"""A meeting of a series is dragged to the next day. Later the whole series moves there (domain.md 2.17)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from infra.local.graph_simulator.graph.rendering import raw_json
from shared.domain.runs.archive_run import RunMode
from tests.simulation.entries import shifted, times_of
from tests.simulation.requesting import Requests
from tests.simulation.story import Request, Rest, Story

#: The share of people who request a replace run.
_REPLACING: Final = 0.2
#: The share of the other people who answer *take the series*.
_TAKING: Final = 0.8
#: An answer that a fault prevented is given again, at most this often.
_MOST_ANSWERS: Final = 3
_FAR: Final = 10**17


@dataclass(slots=True)
class DraggedSeries(Story):
    """A person drags a meeting of a series to the next day. The days are archived. The series moves there."""

    every: ClassVar[int] = 10
    of_series: ClassVar[bool] = True
    requests: Requests

    async def begin(self) -> None:
        """Enter a series of every second day, and drag one of its meetings to the day after."""
        if self.here and self.entered is None:
            await self.person.do(self.enter_every_second_day)
            await self.person.do(self.drag_to_the_day_between)

    async def happen(self, request: Request, rest: Rest) -> None:
        """Archive the series, move it by a day, archive it again and say which of both is right."""
        if not await self.is_archived(request, rest):
            return
        await self.person.do(self.move_onto_the_dragged_day)
        replaces = self.rng.random() < _REPLACING
        await request(*self.days, RunMode.REPLACE if replaces else RunMode.NORMAL)
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
        self.entered = self.person.enter(
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
        if self.entered is not None:
            occurrence = self.rng.choice(list(self.entered.occurrences(_FAR)))
            by = timedelta(hours=self.rng.choice((23, 25)))
            self.person.patch(occurrence, **shifted(occurrence, by))
            self._more()

    def move_onto_the_dragged_day(self) -> None:
        """Every meeting a day later: the one that was dragged is back at the time of the others."""
        if self.entered is not None:
            self.person.patch(self.entered, **shifted(self.entered, timedelta(days=1)))
            self._more()

    async def _answer(self) -> None:
        if self.entered is not None:
            takes, series = self.rng.random() < _TAKING, str(raw_json(self.entered)["id"])
            for _ in range(_MOST_ANSWERS):
                if await self.requests.answer_about(series, takes=takes):
                    return

    def _more(self) -> None:
        if self.entered is not None:
            self.person.meetings[self.person.about(self.entered)] += 1

"""A person first enters how a meeting went, and enters the meeting itself later (domain.md 4.6)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from infra.local.graph_simulator.graph.rendering import raw_json
from infra.local.graph_simulator.state.model import Event
from shared.domain.runs.archive_run import RunMode
from tests.simulation.entries import times_of
from tests.simulation.story import Request, Rest, Story


@dataclass(slots=True)
class LateMeeting(Story):
    """A person enters that a meeting took longer. The entry is archived. Then they enter the meeting."""

    every: ClassVar[int] = 12
    of_series: ClassVar[bool] = False

    async def begin(self) -> None:
        """Enter that a meeting took longer, which nobody entered yet."""
        if self.here and self.entered is None:
            await self.person.do(self.enter_extension_alone)

    async def happen(self, request: Request, rest: Rest) -> None:
        """Archive the entry alone, enter its meeting and archive both."""
        if await self.is_archived(request, rest):
            await self.person.do(self.enter_meeting_of_extension)
            await request(*self.days, RunMode.NORMAL)
            await rest()

    def enter_extension_alone(self) -> None:
        """On some morning that is over."""
        start = self.first_day + timedelta(days=self.rng.randrange(1, 6), hours=self.rng.randrange(4, 12))
        self.entered = self._enter("Extended", start, timedelta(minutes=30))

    def enter_meeting_of_extension(self) -> None:
        """An hour that ends where its extension begins."""
        if self.entered is not None:
            begins = datetime.fromisoformat(raw_json(self.entered)["start"]["dateTime"])
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

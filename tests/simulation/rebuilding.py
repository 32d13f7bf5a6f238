"""Somebody deletes the archive calendar, and its owner asks for it again (domain.md 1)."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from tests.simulation.archives import Archive, GraphArchive
from tests.simulation.judging import Judge
from tests.simulation.mailbox import Person
from tests.simulation.requesting import Requests

#: In one world of this many whose archive is a calendar of the mailbox.
_EVERY: Final = 6
#: The owner repeats the request at most this often. A fault may end a rebuild before all copies exist.
#: Graph may be away for 40 minutes, several times in a row.
_MOST_REQUESTS: Final = 100


@dataclass(slots=True)
class Rebuild:
    """What a world does once after one of its rounds. It draws from a stream of its own."""

    rng: random.Random
    person: Person
    archive: Archive
    judge: Judge
    requests: Requests
    done: bool = False

    def __post_init__(self) -> None:
        self.done = self.rng.randrange(_EVERY) != 0

    async def happen(
        self, request: Callable[[], Awaitable[None]], rest: Callable[[], Awaitable[None]]
    ) -> None:
        """Delete the calendar, sometimes let a run find out, and ask until every copy stands again."""
        archive = self.archive
        if self.done or not isinstance(archive, GraphArchive):
            return
        if not await archive.copies():
            # Nothing would be judged.
            return
        self.done = True
        if self.rng.random() < 0.4:
            # It goes while a run writes to it.
            await request()
            await asyncio.sleep(self.rng.uniform(0.0, 20.0))
        await self.judge.note_copies()
        await self.person.do(archive.delete)
        if self.rng.random() < 0.5:
            await request()
            await rest()
        for _ in range(_MOST_REQUESTS):
            refused = await self.requests.rebuild()
            await rest()
            if refused == "archive_calendar_exists":
                archive.follow(await self.judge.archive_calendar())
                await self.judge.rebuilt()
                return
            await asyncio.sleep(self.rng.uniform(1.0, 120.0))
        self.judge.verdict.problems.append("the archive calendar was never rebuilt")

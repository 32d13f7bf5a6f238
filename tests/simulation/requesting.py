"""What the owner asks of the product beside runs, through its services: each may be refused or lost."""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared import telemetry
from shared.domain.action_items.items import Answer
from shared.domain.expected_version import ANY_VERSION
from shared.domain.identity.caller import Caller
from shared.errors import AdminAssistantError, Unavailable
from shared.services.operation.dispatching import Work
from tests.simulation import answering, deciding
from tests.simulation.archives import Archive
from tests.simulation.fleet import Fleet
from tests.simulation.judging import Judge
from tests.simulation.mailbox import Person
from tests.simulation.orchestration import Durable
from tests.simulation.source_keys import archive_key_of

# How often the owner asks again, at most, for what may have been lost on the way.
_MOST_REQUESTS = 30

type Row = dict[str, Any]
type Deed = Callable[[], Any]


@dataclass(slots=True)
class Requests:
    """Draws requests, and starts their runs."""

    rng: random.Random
    owner: Caller
    configuration: UUID
    person: Person
    archive: Archive
    judge: Judge
    durable: Durable
    fleet: Fleet
    #: How often each kind of request was made.
    made: dict[str, int]

    async def any(self) -> None:
        """One of them."""
        deeds = (self.decide, self.answer, self.edit, self.verify, self.put_back, self.backfill)
        await self.rng.choices(deeds, weights=(6, 6, 3, 2, 3, 1))[0]()

    async def decide(self) -> None:
        """The owner decides what overlaps."""
        groups, members = await self.judge.overlaps()
        if groups:
            with self._as_owner("decide"):
                made = await deciding.decide(self.fleet.any(), self.owner, self.rng, groups, members)
                if made is not None:
                    self.judge.decided |= made.kept
                    self._start([made.run_id] if made.run_id is not None else [])

    async def answer(self) -> None:
        """The owner answers a question about what was archived."""
        items = answering.open_items(await self.judge.items())
        if items:
            with self._as_owner("answer"):
                self._start(await answering.answer(self.fleet.any(), self.owner, self.rng, items))

    async def answer_about(self, series: str, *, takes: bool) -> bool:
        """The owner says whether a changed series is right. Returns whether no question waits for that."""
        items = [
            each
            for each in answering.open_items(await self.judge.items())
            if each["series"] and each["series"]["id"] == series
        ]
        for item in items:
            wanted = Answer.TAKE_SERIES if takes else Answer.KEEP_ARCHIVED
            with self._as_owner("answer"):
                self._start(await answering.give(self.fleet.any(), self.owner, item, wanted))
        return not items

    async def edit(self) -> None:
        """The owner edits what is archived, through the API (domain.md 2.5)."""
        copies = {archive_key_of(copy): copy for copy in await self.archive.copies()}
        rows = [row for row in await self.judge.archived() if row["archive_key"] in copies]
        if not rows:
            return
        row = self.rng.choice(rows)
        self.person.touch_copy(copies[row["archive_key"]])
        wanted = {"subject": f"By hand {self.rng.randrange(1000)}"}
        with self._as_owner("edit"):
            edits = self.fleet.any().app.archiving.owner_edits
            started = await edits.edit(self.owner, row["appointment_id"], wanted, ANY_VERSION)
            self._start([started.run.id])

    async def verify(self, start: datetime | None = None, end: datetime | None = None) -> UUID | None:
        """Request a comparison of source, record and archive, by default of what was archived last (2.15)."""
        found: UUID | None = None
        with self._as_owner("verify"):
            verifications = self.fleet.any().app.archiving.verifications
            started = await verifications.request(self.owner, self.configuration, start, end)
            found = started.verification.id
            if self.rng.random() < 0.9:
                self.durable.start(found, Work.VERIFICATION)
        return found

    async def verify_at_last(self, start: datetime, end: datetime) -> UUID | None:
        """Request a comparison until it is there."""
        for _ in range(_MOST_REQUESTS):
            if (found := await self.verify(start, end)) is not None:
                return found
            await asyncio.sleep(self.rng.uniform(1.0, 60.0))
        return None

    async def put_back(self) -> None:
        """Request that a missing copy, found by a verification, is put back (2.15)."""
        missing = await self.judge.missing()
        if missing:
            found = self.rng.choice(missing)
            with self._as_owner("put back"):
                restoring = self.fleet.any().app.archiving.copy_restoring
                started = await restoring.put_back(self.owner, found["verification_id"], found["id"])
                self._start([started.run.id])

    async def backfill(self) -> None:
        """Request to archive the time before the nightly runs month by month (2.14).

        Whatever is lost on the way is asked for again: hardly any world backfills, and each of its writes is
        struck once.
        """
        first = (await self.judge.archive_from()) - timedelta(days=self.rng.randrange(0, 70))
        for _ in range(_MOST_REQUESTS):
            with self._as_owner("backfill"):
                try:
                    backfills = self.fleet.any().app.archiving.backfills
                    _, run_id = await backfills.start(self.owner, self.configuration, first)
                except Unavailable:
                    await asyncio.sleep(1.0)
                    continue
                self._start([run_id] if run_id is not None else [])
            return

    async def rebuild(self) -> str | None:
        """Request the archive calendar again after it was deleted. Returns the code of a refusal."""
        try:
            with telemetry.bind(caller=self.owner, correlation="rebuild"):
                self.made["asked to rebuild"] = self.made.get("asked to rebuild", 0) + 1
                rebuilds = self.fleet.any().app.archiving.rebuild_requests
                started = await rebuilds.rebuild(self.owner, self.configuration, ANY_VERSION)
        except AdminAssistantError as error:
            return error.code
        self._start([started.run.id])
        return None

    def _start(self, runs: Sequence[UUID]) -> None:
        for run_id in runs:
            self.durable.start(run_id)

    @contextmanager
    def _as_owner(self, what: str) -> Iterator[None]:
        """What is refused, or lost on the way, is not done."""
        with suppress(AdminAssistantError), telemetry.bind(caller=self.owner, correlation=what):
            self.made[f"asked to {what}"] = self.made.get(f"asked to {what}", 0) + 1
            yield

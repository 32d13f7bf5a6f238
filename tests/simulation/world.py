"""One simulated world: mailbox, Graph, database and processes, from the first event to the verdict."""

import asyncio
import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy.exc import DBAPIError

from shared import telemetry
from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.models.users import User
from shared.domain.identity.caller import Caller
from shared.domain.identity.roles import Role
from shared.domain.runs.archive_run import RunMode
from shared.domain.runs.locked_periods import EVERY_CUSTOMER, LockedPeriod
from shared.errors import AdminAssistantError
from shared.settings import Settings
from tests.simulation.acting import Acting
from tests.simulation.archives import Archive, GraphArchive, LocalArchive
from tests.simulation.database_faults import DatabaseFaults
from tests.simulation.entries import ARCHIVE_ZONES, DAYS
from tests.simulation.epoch import EPOCH
from tests.simulation.fault_sites import Grudge
from tests.simulation.fleet import Fleet
from tests.simulation.graph_faults import GraphFaults, Weather
from tests.simulation.graph_world import BASE_URL, GraphWorld
from tests.simulation.host import Host, HostClock
from tests.simulation.judging import Judge, Rest, Verdict
from tests.simulation.limits import Limits
from tests.simulation.locked_periods import freeze
from tests.simulation.mailbox import Person
from tests.simulation.mishaps import Mishap
from tests.simulation.orchestration import Durable, SimulatedOrchestrations, Trouble
from tests.simulation.postgres_wire import PostgresWire
from tests.simulation.rebuilding import Rebuild
from tests.simulation.requesting import Requests
from tests.simulation.resting import come_to_rest
from tests.simulation.rules import Policies
from tests.simulation.source_keys import archive_key_of
from tests.simulation.statistics import LOCAL_ARCHIVE
from tests.simulation.stories import stories
from tests.simulation.virtual_loop import VirtualLoop
from tests.simulation.warm_database import WarmDatabase

FIRST_DAY = datetime(2026, 2, 21, tzinfo=UTC)
_EXPIRY = 31 * 86_400.0
# One that learns what owners deleted, one whose overlaps wait, one after they expired.
_LAST_RUNS = 3
# Copies that are changed before the last verification. The first attempts may be lost on the way.
_LAST_TOUCHES = 4
_LONGEST_STORM = 6 * 3600.0
_LONGEST_CALM = 48 * 3600.0
# Half of what a lease leaves after a batch.
_LARGEST_SKEW = 6.0
# An operation is sent again for ten minutes by the clock, and Graph remembers it for fifteen: clocks may
# differ by twice this.
_LARGEST_JUMP = 120.0
# PostgreSQL is restarted in one seed of this many.
_RESTART_EVERY = 50
_LOCAL_ARCHIVES = 0.2


class World:
    """Mailbox, Graph, database and processes of one seed."""

    def __init__(
        self, seed: int, settings: Settings, loop: VirtualLoop, wire: PostgresWire, verdict: Verdict
    ) -> None:
        self.rng = random.Random(f"world {seed}")
        self.loop = loop
        self.verdict = verdict
        self._wire = wire
        self._settings = settings.model_copy(update={"graph_base_url": BASE_URL})
        self._tenant, self._oid, self._configuration = uuid4(), uuid4(), uuid4()
        self.graph_faults = GraphFaults(self.rng, Weather.of(self.rng))
        self.graph = GraphWorld(self.rng, self.graph_faults)
        self.graph.trace = wire.trace
        self.person = Person(self.rng, self.graph, self._oid, FIRST_DAY)
        self.acting = Acting(self.person)
        self._zone = ZoneInfo(self.rng.choice(ARCHIVE_ZONES))
        self.policies = Policies(
            purpose=self.rng.choice(("general", "general", "timesheet")),
            overlaps=self.rng.choice(("keep_all", "flag", "auto")),
            all_day_counts=self.rng.random() < 0.3,
            privacy=self.rng.random() < 0.4,
            out_of_office=self.rng.random() < 0.2,
        )
        self._names = 0
        self._skew = self.rng.choice((0.0, 0.0, 3.0))
        self.fleet = Fleet(self.rng, self._make_host, 2)
        self.limits = Limits(self.graph, self.fleet, verdict.problems)
        self.graph.watch = self.limits.watch
        self.database_faults = DatabaseFaults(
            self.rng,
            self.rng.choice((0.0, 0.0, 0.002, 0.005, 0.012)),
            restart_at=self.rng.randrange(20, 500) if seed % _RESTART_EVERY == 7 else None,
            killed_by=self.fleet.struck,
        )
        self.grudge = Grudge(random.Random(f"grudge {seed}"), random.Random(f"seldom {seed}"))
        self.database_faults.grudge = self.graph_faults.grudge = self.grudge
        self.database_faults.kill = self.fleet.kill_named
        wire.faults = self.database_faults
        wire.sites = self.graph_faults.sites = self.fleet.sites = verdict.sites
        self.durable = Durable(self.rng, Trouble.of(self.rng), self.fleet)
        self.durable.sites, self.durable.grudge = verdict.sites, self.grudge
        self.observer = WarmDatabase(self._settings, application_name="observer")
        self.archive = self._make_archive(random.Random(f"archive {seed}"))
        pairs = random.Random(f"pair {seed}")
        #: A configuration that somebody tries to make beside the first one, in one world of twelve.
        self._pair = UUID(bytes=pairs.randbytes(16), version=4)
        self._pairs = pairs.random() < 1 / 12
        self.judge = Judge(
            *(self.observer, self.graph, self.person, self.archive, self._configuration),
            *(self._zone, self.policies, verdict),
        )
        self.graph.on_page = self.judge.page
        self._requested: UUID | None = None
        self._owner_id = uuid4()
        owner = Caller.user(self._tenant, self._oid, [Role.USER])
        self.requests = Requests(
            *(self.rng, owner, self._configuration, self.person, self.archive, self.judge),
            *(self.durable, self.fleet, {}),
        )
        self._admin = Caller.user(self._tenant, uuid4(), [Role.ADMIN])
        self._rebuild = Rebuild(
            random.Random(f"rebuild {seed}"), self.person, self.archive, self.judge, self.requests
        )
        self._stories = stories(seed, self.person, self.requests, FIRST_DAY)

    async def live(self) -> None:
        """The whole story."""
        self.acting.populate(self.rng.choice((2, 5, 10, 25, 45)))
        await self._enter()
        storm = self.loop.create_task(self._disturb())
        for _ in range(self.rng.choice((1, 1, 2, 3))):
            for _ in range(self.rng.choice((1, 4, 10, 25))):
                await self.acting.act(self.archive.touch)
            for story in self._stories:
                await story.begin()
            await self._request(*self._window(), self.rng.choice((RunMode.NORMAL,) * 7 + (RunMode.REPLACE,)))
            if self.rng.random() < 0.3:
                await self.requests.decide()
            if self._pairs:
                await self._enter_pair()
            if self.rng.random() < 0.5:
                await self.requests.answer()
            if self.rng.random() < 0.2:
                await self._request(*self._window())
            await self._rest_in_storm()
            await self.judge.note_copies()
            if self.judge.frozen is None and self.rng.random() < 0.15:
                await self._lock()
            await self._rebuild.happen(lambda: self._request(*self._window()), self._rest_in_storm)
            for story in self._stories:
                await story.happen(self._request, self._rest_in_storm)
        storm.cancel()
        await self._calm_down()
        self.verdict.facts |= {
            "events": len(self.person.source.events),
            "edits": {f"edit: {name}": count for name, count in self.person.deeds.items()},
            LOCAL_ARCHIVE: int(isinstance(self.archive, LocalArchive)),
            "graph faults": dict(self.graph_faults.struck),
            "database faults": dict(self.database_faults.struck),
            "mishaps": {str(kind): count for kind, count in self.durable.mishaps.items()},
            "killed": self.fleet.killed,
            "requests": self.requests.made,
            "periods locked": int(self.judge.frozen is not None),
            "calls": self._wire.calls,
            "virtual hours": round(self.loop.time() / 3600, 1),
        }
        for host in self.fleet.everyone:
            await host.close()
        await self.observer.close()

    async def _calm_down(self) -> None:
        """Hardly any more faults; when all effects have come, every window is archived once more."""
        self.graph_faults.calm()
        self.database_faults.calm()
        self.durable.trouble = Trouble()
        self.grudge.relent()
        self.fleet.spare()
        await asyncio.sleep(600.0)
        await self._rest(_LONGEST_CALM)
        await self.durable.settle_strays()
        await asyncio.sleep(600.0)
        everything = FIRST_DAY - timedelta(days=20), FIRST_DAY + timedelta(days=40)
        await self._tidy_up(*everything)
        # What was decided and became due is carried out before anybody looks.
        await self._rest(_LONGEST_CALM)
        for _ in range(_LAST_RUNS):
            await self.judge.look()
            await self._request(*everything)
            await self._rest(_LONGEST_CALM)
            if self.limits.clocks_jumped and await self.judge.writes_in_flight():
                # A host died whose clock was minutes ahead, so its lease lasted. The next run reconciles.
                await self._request(*everything)
                await self._rest(_LONGEST_CALM)
            rest = await self.judge.judge(self._requested)
            if rest is Rest.FOUND:
                break
            if rest is Rest.WAITING:
                # What nobody decides expires, and all of it is archived (domain.md 5.8).
                await asyncio.sleep(_EXPIRY)
                await self._rest(_LONGEST_CALM)
        self.grudge.forgive()
        await self._request(*everything)
        await self._rest(_LONGEST_CALM)
        await self.judge.nothing_more_written(self._requested)
        await self._verify(*everything)

    async def _verify(self, start: datetime, end: datetime) -> None:
        """Copies are changed by hand. A verification finds them, whatever fails then."""
        self.grudge.resent()
        before = {archive_key_of(copy) for copy in await self.archive.copies()}
        for _ in range(_LAST_TOUCHES):
            await self.person.do(self.archive.touch)
        gone = before - {archive_key_of(copy) for copy in await self.archive.copies()}
        verification_id = await self.requests.verify_at_last(start, end)
        await self._rest(_LONGEST_CALM)
        await self.judge.verified(verification_id, gone)

    async def _tidy_up(self, start: datetime, end: datetime) -> None:
        """What the owner does without haste: stop a run, answer questions, put a missing copy back."""
        if self.rng.random() < 0.15:
            await self._request(start, end)
            await asyncio.sleep(self.rng.uniform(0.0, 10.0))
            await self._cancel()
            await self._rest(_LONGEST_CALM)
        for _ in range(self.rng.choice((0, 0, 1, 3))):
            await self.requests.answer()
        if self.rng.random() < 0.3:
            await self.requests.verify(start, end)
            await self._rest(_LONGEST_CALM)
            await self.requests.put_back()

    async def _enter(self) -> None:
        async with self.observer.session() as session:
            user = User(
                tenant_id=self._tenant, object_id=self._oid, address="ada@example.test", display_name="Ada"
            )
            session.add(user)
            await session.flush()
            self._owner_id = user.id
            session.add(self._configured(self._configuration, user.id, "Main"))
            if isinstance(self.archive, LocalArchive):
                self.archive.enter(session, user.id, EPOCH)
            await session.flush()
            if self.rng.random() < 0.4:
                session.add(
                    Job(
                        tenant_id=self._tenant,
                        owner_id=user.id,
                        configuration_id=self._configuration,
                        schedule={"kind": "daily", "at": "02:00"},
                        time_zone=self._zone.key,
                        next_run_at=EPOCH + timedelta(seconds=self.rng.uniform(0.0, 900.0)),
                    )
                )

    def _configured(self, configuration: UUID, owner: UUID, name: str) -> ArchiveConfiguration:
        """A configuration of the person's calendar and archive."""
        return ArchiveConfiguration(
            id=configuration,
            tenant_id=self._tenant,
            owner_id=owner,
            name=name,
            time_zone=self._zone.key,
            archive_from=FIRST_DAY.date(),
            lookback_days=7,
            purpose=self.policies.purpose,
            overlap_policy=self.policies.overlaps,
            all_day_counts=self.policies.all_day_counts,
            privacy_automation=self.policies.privacy,
            out_of_office=self.policies.out_of_office,
            source_reference="msgraph://ada@example.test/calendar",
            source_mailbox_id=self._oid,
            source_calendar_id=self.person.source.id,
            archive_reference=self.archive.reference,
            archive_mailbox_id=self._oid,
            archive_calendar_id=self.archive.calendar_id,
        )

    def _make_archive(self, rng: random.Random) -> Archive:
        if rng.random() < _LOCAL_ARCHIVES:
            owner = Caller.user(self._tenant, self._oid, [Role.USER])
            calendar = UUID(bytes=rng.randbytes(16), version=4)
            return LocalArchive(self.rng, self.person, self.observer, owner, calendar, self.fleet.any)
        return GraphArchive(self.rng, self.person, self.person.archive)

    def _make_host(self) -> Host:
        self._names += 1
        clock = HostClock(self.loop, self.rng.uniform(-self._skew, self._skew))
        return Host(f"host{self._names}", self._settings, self.graph, self._wire, clock)

    def _window(self) -> tuple[datetime, datetime]:
        """Mostly most of what there is, so that what was archived is looked at again."""
        first = self.rng.choice((0, 0, self.rng.randrange(0, DAYS - 1)))
        days = self.rng.choice((DAYS - first, self.rng.randrange(1, DAYS - first + 1)))
        start = FIRST_DAY + timedelta(days=first)
        return start, start + timedelta(days=days)

    async def _request(self, start: datetime, end: datetime, mode: RunMode = RunMode.NORMAL) -> None:
        """A person asks for a run, and asks again if that failed."""
        self.person.replaced |= mode is RunMode.REPLACE
        for _ in range(5):
            host = self.fleet.any()
            try:
                with telemetry.bind(caller=self._admin, correlation="request"):
                    started = await host.app.archiving.service.start_run(
                        self._admin, self._configuration, start, end, mode
                    )
                self._requested = started.run.id
                if self.rng.random() < 0.9:
                    self.durable.start(started.run.id)
                    await host.app.archiving.service.mark_dispatched(started.run.id)
            except AdminAssistantError:
                await asyncio.sleep(self.rng.uniform(0.1, 5.0))
                continue
            return

    async def _enter_pair(self) -> None:
        """Somebody wants a second archive of the same calendar in the same place: there is none (2.19)."""
        configuration, owner = self._pair, Caller.user(self._tenant, self._oid, [Role.USER])
        host = self.fleet.any()
        with suppress(AdminAssistantError):
            async with self.observer.session() as session:
                session.add(self._configured(configuration, self._owner_id, "Second"))
            self.verdict.facts["pairs entered"] = 1
        with suppress(AdminAssistantError), telemetry.bind(caller=owner, correlation="pair"):
            started = await host.app.archiving.service.start_run(
                owner, configuration, FIRST_DAY, FIRST_DAY + timedelta(days=DAYS)
            )
            self.durable.start(started.run.id)

    async def _lock(self) -> None:
        """A timesheet is finalised: some days are locked, unless something is being written there."""
        host, owner = self.fleet.any(), Caller.user(self._tenant, self._oid, [Role.USER])
        first, days = (FIRST_DAY + timedelta(days=self.rng.randrange(DAYS))).date(), self.rng.randrange(1, 4)
        period = LockedPeriod(EVERY_CUSTOMER, first, first + timedelta(days=days))
        with suppress(AdminAssistantError), telemetry.bind(caller=owner, correlation="lock"):
            async with host.database.session() as session:
                await host.period_locker.lock(session, owner, self._owner_id, period)
        if await self.judge.locked():
            self.judge.frozen = freeze(first, days, self._zone, await self.archive.copies())

    async def _cancel(self) -> None:
        """A person asks the last requested run to stop."""
        host = self.fleet.any()
        with suppress(AdminAssistantError), telemetry.bind(caller=self._admin, correlation="cancel"):
            if self._requested is not None:
                await host.app.archiving.runs.cancel(self._admin, self._requested)

    async def _rest(self, longest: float) -> None:
        """Until all that is due is done, no run is open and no instance is active. The dispatcher ticks."""
        durable = self.durable
        if not await come_to_rest(self._tick, lambda: durable.busy, self.judge.open_work, longest):
            self.verdict.problems.append(f"not at rest after {longest / 3600:.0f} hours")

    async def _rest_in_storm(self) -> None:
        await self._rest(_LONGEST_STORM)

    async def _tick(self) -> bool:
        """Whether everything that was due was done."""
        host, done = self.fleet.any(), True
        try:
            await host.app.operation.dispatcher.tick(SimulatedOrchestrations(self.durable, host))
        except* (AdminAssistantError, DBAPIError):
            # The host does not repeat a timer: the next tick does what this one could not.
            done = False
        await asyncio.sleep(30.0 if done else 5.0)
        return done

    async def _disturb(self) -> None:
        """The owner works, clocks are set, Graph is away, while runs run."""
        outages = self.rng.random() < 0.3
        cancels = self.rng.random() < 0.3
        jumps = self.rng.random() < 0.3
        while True:
            await asyncio.sleep(self.rng.expovariate(1 / self.rng.choice((2.0, 30.0, 300.0))))
            if outages and self.rng.random() < 0.1:
                self.graph_faults.outage_until = self.loop.time() + self.rng.uniform(60.0, 2400.0)
            elif jumps and self.rng.random() < 0.1:
                # The clock of a process is set by minutes.
                clock = self.fleet.any().clock
                clock.offset = self.rng.choice((-1, 1)) * self.rng.uniform(_LARGEST_SKEW, _LARGEST_JUMP)
                self.durable.mishaps[Mishap.CLOCK_JUMP] += 1
                self.limits.clocks_jumped = True
            elif cancels and self.rng.random() < 0.1:
                await self._cancel()
            elif self.rng.random() < 0.25:
                await self.requests.any()
            elif self.rng.random() < 0.1:
                self.fleet.any().clock.offset = self.rng.uniform(-_LARGEST_SKEW, _LARGEST_SKEW)
                self.durable.mishaps[Mishap.CLOCK_STEP] += 1
            else:
                await self.acting.act(self.archive.touch)

"""One simulated world: mailbox, Graph, database and processes, from the first event to the verdict."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from shared import telemetry
from shared.database.engine import Database
from shared.database.models import ArchiveConfiguration, Job, User
from shared.domain.caller import Caller, Role
from shared.errors import AdminAssistantError
from shared.settings import Settings
from tests.simulation import accounts
from tests.simulation.graph_faults import GraphFaults, Weather
from tests.simulation.graph_world import BASE_URL, GraphWorld
from tests.simulation.host import EPOCH, Host, HostClock
from tests.simulation.limits import Limits
from tests.simulation.mailbox import DAYS, Json, Person, key_of
from tests.simulation.oracle import Facts, Snapshot
from tests.simulation.orchestration import Durable, Fleet, Trouble, current_activity
from tests.simulation.postgres_wire import Break, PostgresWire, WireFaults
from tests.simulation.virtual_loop import VirtualLoop

FIRST_DAY = datetime(2026, 2, 21, tzinfo=UTC)
_TICK = 300.0
_LONGEST_STORM = 6 * 3600.0
_LONGEST_CALM = 48 * 3600.0
# Half of what a lease leaves beyond a batch.
_LARGEST_SKEW = 6.0


@dataclass(slots=True)
class Verdict:
    """What became of one seed."""

    seed: int
    problems: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    story: list[str] = field(default_factory=list)


@dataclass(slots=True)
class DatabaseFaults(WireFaults):
    """Breaks calls of the processes at random."""

    rng: random.Random
    probability: float
    fleet: Fleet | None = None
    struck: dict[str, int] = field(default_factory=dict)

    def strike(self, label: str, statement: bytes) -> Break | None:
        """What is to happen to a call."""
        if not label.startswith("host") or self.fleet is None:
            return None
        if self.fleet.struck(label):
            return None
        commit = statement[5:11] == b"COMMIT"
        if self.probability <= 0 or self.rng.random() >= self.probability * (4 if commit else 1):
            return None
        startup = statement[:1] == b"\0"
        found = self.rng.choice((Break.BEFORE, Break.AFTER) if startup else list(Break))
        self.struck[found.value] = self.struck.get(found.value, 0) + 1
        return found


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
        self.graph.on_page = self._page
        self.person = Person(self.rng, self.graph, self._oid, FIRST_DAY)
        self._zone = ZoneInfo(
            self.rng.choice(("UTC", "Europe/Berlin", "America/New_York", "Pacific/Auckland"))
        )
        self._names = 0
        self._skew = self.rng.choice((0.0, 0.0, 3.0))
        self.fleet = Fleet(self.rng, self._make_host, 2)
        self.graph.watch = Limits(self.graph, self.fleet, verdict.problems).watch
        self.database_faults = DatabaseFaults(
            self.rng, self.rng.choice((0.0, 0.0, 0.002, 0.01, 0.03)), self.fleet
        )
        wire.faults = self.database_faults
        self.durable = Durable(self.rng, Trouble.of(self.rng), self.fleet)
        self.observer = Database(self._settings, application_name="observer")
        self._pages: dict[tuple[UUID, int], dict[str, Json]] = {}
        self._snapshots: dict[UUID, Snapshot] = {}
        self._requested: UUID | None = None
        self._admin = Caller.user(self._tenant, uuid4(), [Role.ADMIN])

    def complain(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An exception nobody looked at."""
        error = context.get("exception")
        if not isinstance(error, asyncio.CancelledError):
            self.verdict.problems.append(
                f"unhandled: {context.get('message')} {error!r} {context.get('future')!r}"
            )

    async def live(self) -> None:
        """The whole story."""
        self.person.populate(self.rng.choice((2, 5, 10, 25, 45)))
        await self._enter()
        storm = self.loop.create_task(self._disturb())
        for _ in range(self.rng.choice((1, 1, 2, 3))):
            for _ in range(self.rng.choice((1, 4, 10, 25))):
                self.person.act()
            await self._request(*self._window())
            if self.rng.random() < 0.2:
                await self._request(*self._window())
            await self._rest(_LONGEST_STORM)
        storm.cancel()
        await self._calm_down()
        self.verdict.facts |= {
            "events": len(self.person.source.events),
            "copies": len(self.person.archive.events),
            "graph faults": dict(self.graph_faults.struck),
            "database faults": dict(self.database_faults.struck),
            "killed": self.fleet.killed,
            "calls": self._wire.calls,
            "virtual hours": round(self.loop.time() / 3600, 1),
        }
        for host in self.fleet.everyone:
            await host.close()
        await self.observer.close()

    async def _calm_down(self) -> None:
        """No more faults; when all effects have come, every window is archived once more."""
        self.graph_faults.calm()
        self.database_faults.probability = 0.0
        self.durable.trouble = Trouble()
        self.fleet.spare()
        await asyncio.sleep(600.0)
        await self._rest(_LONGEST_CALM)
        await self.durable.settle_strays()
        await asyncio.sleep(600.0)
        everything = FIRST_DAY - timedelta(days=20), FIRST_DAY + timedelta(days=40)
        await self._request(*everything)
        await self._rest(_LONGEST_CALM)
        await self._judge()
        await self._request(*everything)
        await self._rest(_LONGEST_CALM)
        await self._nothing_more_written()

    async def _nothing_more_written(self) -> None:
        """Archiving again with nothing changed writes nothing; what the owner edited is tried, in vain."""
        async with self.observer.session() as session:
            operations = await accounts.rows_of(session, "archive_operations")
        again = [o for o in operations if o["run_id"] == self._requested and o["state"] != "conflict"]
        if again:
            self.verdict.problems.append(f"archiving again, unchanged, wrote {len(again)} times")
        self._tell(operations, {operation["archived_event_id"] for operation in again})

    def _tell(self, operations: list[dict[str, Any]], rows: set[UUID]) -> None:
        """The story of some rows of the map."""
        shown = (
            "archived_event_id",
            "run_id",
            "action",
            "state",
            "revision",
            "previous_revision",
            "if_match",
        )
        for operation in sorted(
            operations, key=lambda o: (str(o["archived_event_id"]), o["first_sent_at"] or EPOCH)
        ):
            if operation["archived_event_id"] in rows:
                told = [str(operation[field])[:12] for field in shown]
                self.verdict.story.append(
                    f"{' '.join(told)} {operation['first_sent_at']} {operation['error_code']}"
                )

    async def _enter(self) -> None:
        async with self.observer.session() as session:
            user = User(
                tenant_id=self._tenant, object_id=self._oid, address="ada@example.test", display_name="Ada"
            )
            session.add(user)
            await session.flush()
            session.add(
                ArchiveConfiguration(
                    id=self._configuration,
                    tenant_id=self._tenant,
                    owner_id=user.id,
                    name="Main",
                    time_zone=self._zone.key,
                    archive_from=FIRST_DAY.date(),
                    lookback_days=7,
                    source_reference="msgraph://ada@example.test/calendar",
                    source_mailbox_id=self._oid,
                    source_calendar_id=self.person.source.id,
                    archive_reference="msgraph://ada@example.test/calendars/Archive",
                    archive_mailbox_id=self._oid,
                    archive_calendar_id=self.person.archive.id,
                )
            )

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

    async def _request(self, start: datetime, end: datetime) -> None:
        """A person asks for a run, and asks again if that failed."""
        for _ in range(5):
            host = self.fleet.any()
            try:
                with telemetry.bind(caller=self._admin, correlation="request"):
                    started = await host.archiving.start_run(self._admin, self._configuration, start, end)
                self._requested = started.run.id
                if self.rng.random() < 0.9:
                    self.durable.start(started.run.id)
                    await host.archiving.mark_dispatched(started.run.id)
            except AdminAssistantError:
                await asyncio.sleep(self.rng.uniform(0.1, 5.0))
                continue
            return

    async def _cancel(self) -> None:
        """A person asks the last requested run to stop."""
        host = self.fleet.any()
        with suppress(AdminAssistantError), telemetry.bind(caller=self._admin, correlation="cancel"):
            if self._requested is not None:
                await host.runs.cancel(self._admin, self._requested)

    async def _rest(self, longest: float) -> None:
        """Until no run is open and no instance at work; the dispatcher ticks."""
        until = self.loop.time() + longest
        while self.loop.time() < until:
            await self._tick()
            for _ in range(60):
                if not self.durable.busy:
                    break
                await asyncio.sleep(_TICK / 60)
            if not self.durable.busy and not await self._open_runs():
                return
        self.verdict.problems.append(f"not at rest after {longest / 3600:.0f} hours")

    async def _tick(self) -> None:
        host = self.fleet.any()
        try:
            for run_id in await host.archiving.claim_due_jobs():
                self.durable.start(run_id)
                await host.archiving.mark_dispatched(run_id)
            runs = await host.archiving.runs_to_drive()
            for run_id in runs:
                if not self.durable.alive(run_id):
                    self.durable.start(run_id)
                    await host.archiving.mark_dispatched(run_id)
        except AdminAssistantError:
            return
        await asyncio.sleep(30.0)

    async def _open_runs(self) -> int:
        async with self.observer.session() as session:
            rows = await accounts.rows_of(session, "archive_runs")
        self._keep_snapshots(rows)
        return sum(row["state"] in ("queued", "running") for row in rows)

    async def _disturb(self) -> None:
        """The owner works, clocks are set, Graph is away, while runs run."""
        outages = self.rng.random() < 0.3
        cancels = self.rng.random() < 0.3
        while True:
            await asyncio.sleep(self.rng.expovariate(1 / self.rng.choice((2.0, 30.0, 300.0))))
            if outages and self.rng.random() < 0.1:
                self.graph_faults.outage_until = self.loop.time() + self.rng.uniform(60.0, 2400.0)
            elif self.rng.random() < 0.9:
                self.person.act()
            elif cancels:
                await self._cancel()
            else:
                self.fleet.any().clock.offset = self.rng.uniform(-_LARGEST_SKEW, _LARGEST_SKEW)

    def _page(self, host: str, items: list[Json]) -> None:
        activity = current_activity.get()
        if activity is not None and activity[1] == "plan_archive_run":
            pages = self._pages.setdefault((activity[0], activity[2]), {})
            pages |= {key_of(item): item for item in items}

    def _keep_snapshots(self, runs: list[dict[str, Any]]) -> None:
        """The last plan of every planned run is what it was planned from."""
        for run in runs:
            if (
                run["planned_at"] is None
                or run["id"] in self._snapshots
                or (run["plan"] or {}).get("refused")
            ):
                continue
            attempts = [number for run_id, number in self._pages if run_id == run["id"]]
            if attempts:
                events = self._pages[run["id"], max(attempts)]
                self._snapshots[run["id"]] = Snapshot(
                    run["id"], run["window_start"], run["window_end"], events
                )

    async def _judge(self) -> None:
        async with self.observer.session() as session:
            runs = await accounts.rows_of(session, "archive_runs")
            operations = await accounts.rows_of(session, "archive_operations")
            events = await accounts.rows_of(session, "archived_events")
            audit = await accounts.rows_of(session, "audit_entries")
            appointments = await accounts.rows_of(session, "appointments")
        self._keep_snapshots(runs)
        self.verdict.facts |= {
            "runs": dict(Counter(f"run {run['kind']} {run['state']}" for run in runs)),
            "operations": dict(Counter(f"{o['action']} {o['state']}" for o in operations)),
            "rows": dict(Counter(f"row {row['state']}" for row in events)),
        }
        problems = self.verdict.problems
        problems += accounts.check_runs(runs)
        problems += accounts.check_operations(operations)
        wrong = accounts.check_audit(operations, audit)
        self._tell(
            operations, {o["archived_event_id"] for o in operations if any(str(o["id"]) in w for w in wrong)}
        )
        problems += wrong
        last = self._snapshots.get(self._requested) if self._requested else None
        if last is None:
            problems.append("the last run was never planned")
            return
        facts = Facts(
            configuration_id=self._configuration,
            zone=self._zone,
            last=last,
            history=self.person.history,
            touched=self.person.touched,
            copies=self.person.instances(self.person.archive),
            rows=events,
            operations=operations,
            appointments=appointments,
        )
        problems += facts.judge()
        total = self.graph.counters.total
        if total.invitations_sent or total.updates_sent:
            problems.append(
                f"{total.invitations_sent} invitations and {total.updates_sent} updates were sent"
            )

"""A mailbox, a configuration and the archiving service around them, in one process."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import RowMapping, select, text

from infra.local.graph_simulator import GraphSimulator
from shared import telemetry
from shared.clock import SystemClock
from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.models.runs import ArchiveRun
from shared.database.models.users import User
from shared.domain.action_items.items import Answer
from shared.domain.identity.caller import Caller
from shared.domain.identity.roles import Role
from shared.domain.runs.archive_run import RunMode
from shared.domain.runs.plan_counts import PlanCounts
from shared.graph.calendar_adapter import CalendarAdapter
from shared.graph.client import GraphClient
from shared.graph.retry import RetryPolicy
from shared.graph.throttle import Throttle
from shared.services.action_items.answering import ActionItemAnswering
from shared.services.archiving.applying import ApplyProgress
from shared.services.archiving.context import ArchivingPorts
from shared.services.archiving.finishing import FinishedRun
from shared.services.archiving.service import ArchivingService, RunView, StartedRun
from shared.services.operation.mailbox_pauses import MailboxPauses
from shared.services.overlaps.resolving import OverlapResolving
from shared.services.person_keys.keys import PersonKeys
from shared.settings import Settings
from tests.integration.archiving.simulated_mailbox import ADDRESS, SimulatedMailbox

DAY = datetime(2026, 3, 2, tzinfo=UTC)


class SteppableClock(SystemClock):
    """Real time plus an offset that tests move; short waits are real, so that nothing is skipped."""

    def __init__(self) -> None:
        self.offset = timedelta(0)

    def now(self) -> datetime:
        """The shifted instant."""
        return super().now() + self.offset

    def advance(self, **by: float) -> None:
        """Jump ahead."""
        self.offset += timedelta(**by)


@dataclass
class World(SimulatedMailbox):
    """Everything a test of archiving touches."""

    simulator: GraphSimulator
    database: Database
    settings: Settings
    person_keys: PersonKeys
    clock: SteppableClock = field(default_factory=SteppableClock)
    tenant_id: UUID = field(default_factory=uuid4)
    person_id: UUID = field(default_factory=uuid4)
    configuration_id: UUID = field(default_factory=uuid4)
    retries: RetryPolicy | None = None

    async def open(self, events: list[dict[str, Any]], **configuration: Any) -> None:
        """Load the mailbox and enter its owner and configuration."""
        self._http = httpx.AsyncClient(base_url=self.simulator.base_url, timeout=30)
        await self._post(
            "/_simulator/mailboxes",
            [
                {
                    "address": ADDRESS,
                    "oid": str(self.person_id),
                    "display_name": "Ada",
                    "time_zone": "UTC",
                    "calendars": [
                        {"name": "Calendar", "is_default": True, "events": events},
                        {"name": "Archive", "is_default": False, "events": []},
                    ],
                }
            ],
        )
        self.graph = GraphClient.create(self.settings)
        throttle = Throttle(MailboxPauses(self.database), self.clock)
        self.calendars = CalendarAdapter(self.graph, throttle, self.retries)
        calendars = {c.name: c.id for c in await self.calendars.list_calendars(str(self.person_id))}
        values: dict[str, Any] = {
            "name": "Main",
            "time_zone": "UTC",
            "archive_from": (DAY - timedelta(days=1)).date(),
            "lookback_days": 7,
        }
        async with self.database.session() as session:
            user = User(
                tenant_id=self.tenant_id, object_id=self.person_id, address=ADDRESS, display_name="Ada"
            )
            session.add(user)
            await session.flush()
            session.add(
                ArchiveConfiguration(
                    id=self.configuration_id,
                    tenant_id=self.tenant_id,
                    owner_id=user.id,
                    source_reference=f"msgraph://{ADDRESS}/calendar",
                    source_mailbox_id=self.person_id,
                    source_calendar_id=calendars["Calendar"],
                    archive_reference=f"msgraph://{ADDRESS}/calendars/Archive",
                    archive_mailbox_id=self.person_id,
                    archive_calendar_id=calendars["Archive"],
                    **(values | configuration),
                )
            )
        self.archiving = self.service()
        self.admin = Caller.user(self.tenant_id, uuid4(), [Role.ADMIN])
        self.simulator.counters.reset()

    def service(self) -> ArchivingService:
        """Another worker's archiving service over the same database and mailbox."""
        return ArchivingService(
            ArchivingPorts(self.database, self.calendars, self.clock, self.settings, self.person_keys)
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        await self.graph.close()

    @property
    def http(self) -> httpx.AsyncClient:
        """A client of the simulator."""
        return self._http

    async def graph_token(self) -> str:
        """A token of the simulator's tenant for Graph."""
        answer = await self._http.get(
            "/msi/token",
            params={"api-version": "2019-08-01", "resource": "https://graph.microsoft.com"},
            headers={"X-IDENTITY-HEADER": self.simulator.settings.identity_header},
        )
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    async def simulate(self, **settings: Any) -> None:
        """Set switches of the simulator."""
        answer = await self._http.patch("/_simulator/settings", json=settings)
        answer.raise_for_status()

    async def request(self, start: datetime = DAY, end: datetime = DAY + timedelta(days=7)) -> ArchiveRun:
        """Queue a run of a window."""
        return (await self.start_run(self.admin, start, end)).run

    async def start_run(
        self,
        caller: Caller,
        start: datetime | None,
        end: datetime | None,
        mode: RunMode = RunMode.NORMAL,
    ) -> StartedRun:
        """Queue a run as ``caller``."""
        with telemetry.bind(caller=caller, correlation="test"):
            return await self.archiving.start_run(caller, self.configuration_id, start, end, mode)

    async def replace(self, start: datetime = DAY, end: datetime = DAY + timedelta(days=7)) -> dict[str, Any]:
        """Queue and drive a run that rewrites the window; its report."""
        run = (await self.start_run(self.admin, start, end, RunMode.REPLACE)).run
        return await self.drive(run.id)

    @property
    def resolving(self) -> OverlapResolving:
        """Decisions about overlaps."""
        return OverlapResolving(
            ArchivingPorts(self.database, self.calendars, self.clock, self.settings, self.person_keys)
        )

    @property
    def answering(self) -> ActionItemAnswering:
        """Answers to action items."""
        return ActionItemAnswering(
            ArchivingPorts(self.database, self.calendars, self.clock, self.settings, self.person_keys)
        )

    async def answer(self, answer: Answer, *, run: bool = True) -> dict[str, Any]:
        """Answer the one open item as an admin; the report of the run that carries it out, if wanted."""
        (item,) = await self.open_items()
        with telemetry.bind(caller=self.admin, correlation="test"):
            answered = await self.answering.answer(self.admin, item["id"], answer)
        return await self.drive(answered.run_id) if run and answered.run_id is not None else {}

    async def open_items(self) -> list[RowMapping]:
        """The action items that wait for an answer, oldest first."""
        return [item for item in await self.items() if item["status"] == "open"]

    async def items(self) -> list[RowMapping]:
        """All action items, oldest first."""
        return await self.rows("SELECT * FROM action_items ORDER BY opened_at, id")

    async def resolve(self, group_id: UUID, *kept: str) -> UUID:
        """Keep the events of these subjects, or all, as an admin; the run that was queued."""
        with telemetry.bind(caller=self.admin, correlation="test"):
            keys = [await self.key(subject) for subject in kept] or None
            resolved = await self.resolving.resolve(self.admin, group_id, keys)
        assert resolved.run_id is not None
        return resolved.run_id

    async def key(self, subject: str) -> str:
        """The source key of the one event of a subject, which may be gone by now."""
        (found,) = await self.rows(
            "SELECT source_key FROM overlap_members WHERE record->>'subject' = :subject"
            " UNION SELECT 's:' || CAST(:source AS text) WHERE CAST(:source AS text) IS NOT NULL",
            subject=subject,
            source=next((e["id"] for e in await self.events("Calendar") if e["subject"] == subject), None),
        )
        return str(found["source_key"])

    async def rows(self, sql: str, **parameters: Any) -> list[RowMapping]:
        """What the database says."""
        async with self.database.session() as session:
            return list((await session.execute(text(sql), parameters)).mappings())

    async def groups(self) -> list[RowMapping]:
        """The stored groups, oldest first, with their members' keys."""
        return await self.rows(
            "SELECT g.*, (SELECT array_agg(source_key ORDER BY start_at, source_key) FROM overlap_members m"
            " WHERE m.group_id = g.id) AS members FROM overlap_groups g ORDER BY g.opened_at, g.id"
        )

    async def configure(self, **values: Any) -> None:
        """Change the configuration."""
        async with self.database.session() as session:
            configuration = await session.get_one(ArchiveConfiguration, self.configuration_id)
            for name, value in values.items():
                setattr(configuration, name, value)

    async def subjects(self) -> list[str]:
        """What is in the archive calendar, sorted."""
        return sorted(copy["subject"] for copy in await self.copies())

    async def archive(
        self, start: datetime = DAY, end: datetime = DAY + timedelta(days=7), *, by_system: bool = False
    ) -> dict[str, Any]:
        """Queue and drive a run; its report. ``by_system``: as a night does, asked for by nobody."""
        run = await self.request(start, end)
        if by_system:
            nightly = "UPDATE archive_runs SET kind = 'nightly', requested_by = 'system:test' WHERE id = :id"
            await self.rows(f"{nightly} RETURNING id", id=run.id)
        return await self.drive(run.id)

    async def drive(self, run_id: UUID, archiving: ArchivingService | None = None) -> dict[str, Any]:
        """What the orchestration does, without the host; waits that it would sleep through are jumped."""
        async with self.archiving.acting_for(run_id):
            return await self._drive(run_id, archiving or self.archiving)

    async def plan(self, run_id: UUID) -> PlanCounts:
        """Begin and plan a run."""
        assert (await self.archiving.begin(run_id)).mine
        async with self.archiving.acting_for(run_id):
            return await self.archiving.plan(run_id)

    async def break_off_plan(self, at: type, method: str) -> UUID:
        """Request a run whose plan dies where it calls the method of the class ``at``. Returns the run."""
        run = await self.request()

        async def crash(*_: object) -> None:
            raise RuntimeError("crashed")

        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(at, method, crash)
            with pytest.raises(RuntimeError, match="crashed"):
                await self.plan(run.id)
        return run.id

    async def apply(self, run_id: UUID, archiving: ArchivingService | None = None) -> ApplyProgress:
        """Apply once."""
        async with self.archiving.acting_for(run_id):
            return await (archiving or self.archiving).apply(run_id)

    async def finish(self, run_id: UUID) -> FinishedRun:
        """Finish a run."""
        async with self.archiving.acting_for(run_id):
            return await self.archiving.finish(run_id)

    async def _drive(self, run_id: UUID, service: ArchivingService) -> dict[str, Any]:
        assert (await service.begin(run_id)).mine
        await self._reconcile(service, run_id)
        await service.plan(run_id)
        for _ in range(200):
            progress = await service.apply(run_id)
            if not progress.remaining:
                break
            await self._until(progress.resume_at)
        await self._reconcile(service, run_id)
        await service.finish(run_id)
        view = await self.view(run_id)
        assert view.run.report is not None
        return view.run.report | {"state": view.run.state}

    async def _reconcile(self, service: ArchivingService, run_id: UUID) -> None:
        for attempt in range(30):
            progress = await service.reconcile(run_id, attempt)
            if not progress.open:
                return
            await self._until(progress.resume_at)

    async def _until(self, instant: datetime | None) -> None:
        if instant is not None:
            await asyncio.sleep(max(0.0, min(2.0, (instant - self.clock.now()).total_seconds())))

    async def view(self, run_id: UUID) -> RunView:
        """The run as an admin sees it."""
        return await self.archiving.get_run(self.admin, run_id)

    async def add_job(self) -> None:
        """The nightly job of the configuration."""
        async with self.database.session() as session:
            owner = (await session.execute(select(User.id))).scalar_one()
            session.add(
                Job(
                    tenant_id=self.tenant_id,
                    owner_id=owner,
                    configuration_id=self.configuration_id,
                    schedule={"kind": "daily", "at": "02:00"},
                    time_zone="UTC",
                    next_run_at=DAY,
                )
            )

    async def add_broken_job(self) -> None:
        """A due job whose schedule nobody can read, of another configuration."""
        async with self.database.session() as session:
            main = await session.get_one(ArchiveConfiguration, self.configuration_id)
            kept = {c.key: getattr(main, c.key) for c in ArchiveConfiguration.__mapper__.column_attrs}
            other = ArchiveConfiguration(
                **kept
                | {"id": uuid4(), "name": "Broken", "is_default": False, "source_calendar_id": "another"}
            )
            session.add(other)
            await session.flush()
            session.add(
                Job(
                    tenant_id=self.tenant_id,
                    owner_id=main.owner_id,
                    configuration_id=other.id,
                    schedule={"kind": "daily", "at": "02:00"},
                    time_zone="Nowhere/At all",
                    next_run_at=DAY - timedelta(days=1),
                )
            )

    async def job(self) -> tuple[bool, int]:
        """Whether the job is paused, and its failures in a row."""
        async with self.database.session() as session:
            job = (await session.execute(select(Job).where(Job.kind == "archive"))).scalar_one()
            return job.paused, job.consecutive_failures

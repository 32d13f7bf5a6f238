"""The health of the whole system, and how late its work is (for Admins and Auditors)."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Protocol
from uuid import UUID, uuid4

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.repositories.notifications.mail_outbox import MailOutboxRepository
from shared.database.repositories.operation.schema import SchemaRepository
from shared.database.repositories.operation.system_state import SystemStateRepository
from shared.domain.calendars.calendar_port import Calendars
from shared.domain.identity.caller import Caller
from shared.errors import AdminAssistantError, NotFound
from shared.schemas.system import Component, SystemHealth
from shared.services.identity.access import Access
from shared.settings import Settings

#: The time limit of one probe, in seconds. Probes do not affect each other.
PATIENCE: Final = 5.0
#: A report is reused for everyone in a tenant for this time.
KEPT_FOR: Final = timedelta(seconds=5)
#: A queued run that nothing started for this time is late.
BACKLOG_DEGRADED, BACKLOG_FAILING = timedelta(minutes=15), timedelta(hours=2)
#: Mail that could not be sent for this time is late.
MAIL_DEGRADED: Final = timedelta(minutes=15)
#: A job that is overdue for this time is late (domain.md 8.4).
LATE_DEGRADED, LATE_FAILING = timedelta(hours=1), timedelta(hours=24)
#: How long a run that ended with trouble is reported (8.4).
TROUBLE_LASTS = timedelta(hours=24)
_MOST_TENANTS: Final = 100

type State = Literal["healthy", "degraded", "failing", "not_configured"]
type Probe = Callable[[], Awaitable["Found"]]


class TokenService(Protocol):
    """Probes the token service."""

    async def probe(self) -> None:
        """Raises any error."""
        ...


class DurableClient(Protocol):
    """Probes the Durable backend."""

    async def get_orchestration_state(self, instance_id: str, *, fetch_payloads: bool = True) -> Any:
        """The state of an instance, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a probe that got an answer."""

    state: State = "healthy"
    detail: str | None = None
    measures: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Memory:
    """What this instance remembers about a component."""

    last_success: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None


class SystemHealthService:
    """Probes everything at once. Raises only for a caller who is not authorised. For one event loop."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: Settings,
        *,
        tokens: TokenService,
        mailboxes: Calendars,
        stores: Sequence[Callable[[], Awaitable[object]]] = (),
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._tokens = tokens
        self._mailboxes = mailboxes
        self._stores = tuple(stores)
        self._memory: dict[tuple[UUID, str], _Memory] = {}
        self._kept: OrderedDict[UUID, SystemHealth] = OrderedDict()
        self._probing: dict[UUID, asyncio.Task[SystemHealth]] = {}
        self._expected = ""

    async def report(self, caller: Caller, durable: DurableClient | None) -> SystemHealth:
        """The state of everything, at most ``KEPT_FOR`` old. Concurrent requests of a tenant share one probe.

        Raises Forbidden for a deactivated person, if the database can tell.
        """
        try:
            async with asyncio.timeout(PATIENCE), self._database.session() as session:
                await Access.of(session, caller)
        except (AdminAssistantError, TimeoutError) as error:
            if isinstance(error, AdminAssistantError) and error.status < 500:
                raise
        tenant = caller.tenant_id
        kept = self._kept.get(tenant)
        if kept is not None and self._clock.now() - kept.checked_at < KEPT_FOR:
            return kept
        task = self._probing.get(tenant)
        if task is None:
            task = self._probing[tenant] = asyncio.create_task(self._probe_all(caller, durable))
            task.add_done_callback(lambda _: self._probing.pop(tenant, None))
        # Shielded, because other callers still need it when one of them is cancelled.
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Stop the probes in flight."""
        running = list(self._probing.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _probe_all(self, caller: Caller, durable: DurableClient | None) -> SystemHealth:
        revision: list[str | None] = [None]
        probes: dict[str, Probe] = {
            "database": lambda: self._ask_database(revision),
            "graph": lambda: self._ask_graph(caller),
            "token_service": self._ask_token_service,
            "storage": self.probe_stores,
            "durable": lambda: self.probe_durable(durable),
            "durable_backlog": lambda: self._backlog(caller.tenant_id),
            "job_lateness": lambda: self._lateness(caller.tenant_id),
            "mail": lambda: self._mail(caller.tenant_id),
            "archive_runs": lambda: self._runs(caller.tenant_id),
        }
        components = await asyncio.gather(
            *(self._component(caller.tenant_id, name, probe) for name, probe in probes.items())
        )
        states = {component.status for component in components}
        report = SystemHealth(
            status="failing" if "failing" in states else "degraded" if "degraded" in states else "healthy",
            checked_at=self._clock.now(),
            version=self._settings.version,
            commit=self._settings.commit or None,
            schema_revision=revision[0],
            schema_expected=self._expected,
            components=tuple(components),
        )
        self._kept[caller.tenant_id] = report
        self._kept.move_to_end(caller.tenant_id)
        while len(self._kept) > _MOST_TENANTS:
            forgotten, _ = self._kept.popitem(last=False)
            self._memory = {key: value for key, value in self._memory.items() if key[0] != forgotten}
        return report

    async def _component(self, tenant: UUID, name: Any, probe: Probe) -> Component:
        memory = self._memory.setdefault((tenant, name), _Memory())
        started = time.perf_counter()
        failure: str | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                found = await probe()
        except AdminAssistantError as error:
            failure, found = type(error).__name__, Found("failing", error.title)
        except TimeoutError:
            failure, found = "TimeoutError", Found("failing", f"no answer within {PATIENCE:.0f} s")
        except Exception as error:
            # The text of a library's error may name hosts and accounts, so only its kind is shown.
            failure, found = type(error).__name__, Found("failing", "it cannot be asked")
        now = self._clock.now()
        if failure is not None:
            memory.last_error, memory.last_error_at = failure, now
        elif found.state == "healthy":
            memory.last_success = now
        return Component(
            name=name,
            status=found.state,
            milliseconds=round((time.perf_counter() - started) * 1000, 1),
            reason=found.detail,
            measures=dict(found.measures),
            last_success_at=memory.last_success,
            last_error=memory.last_error,
            last_error_at=memory.last_error_at,
        )

    async def _ask_database(self, revision: list[str | None]) -> Found:
        if not self._expected:
            self._expected = await asyncio.to_thread(_expected_revision)
        async with self._database.session() as session:
            revision[0] = await SchemaRepository(session).revision()
        if revision[0] is None or revision[0] < self._expected:
            return Found("degraded", "the schema is older than the code expects")
        return Found()

    async def _ask_graph(self, caller: Caller) -> Found:
        await self._mailboxes.in_tenant(caller.tenant_id).get_mailbox(str(caller.object_id))
        return Found()

    async def _ask_token_service(self) -> Found:
        await self._tokens.probe()
        return Found()

    async def probe_stores(self) -> Found:
        """Ask every configured store. Raises any error."""
        if not self._stores:
            return Found("not_configured", "no store is set")
        await asyncio.gather(*(ask() for ask in self._stores))
        return Found()

    async def _backlog(self, tenant: UUID) -> Found:
        async with self._database.session() as session:
            backlog = await SystemStateRepository(session).backlog(tenant)
        waited = self._age(backlog.oldest)
        measures = {
            "waiting": backlog.waiting,
            "running": backlog.running,
            "oldest_seconds": waited.total_seconds(),
        }
        if waited < BACKLOG_DEGRADED:
            return Found(measures=measures)
        state: State = "failing" if waited >= BACKLOG_FAILING else "degraded"
        return Found(state, "queued runs wait to be started", measures)

    async def _lateness(self, tenant: UUID) -> Found:
        async with self._database.session() as session:
            late = await SystemStateRepository(session).lateness(tenant, self._clock.now())
        overdue = self._age(late.oldest)
        measures = {
            "due": late.due,
            "oldest_seconds": overdue.total_seconds(),
            "failing": late.failing,
            "paused_by_failures": late.paused_by_failures,
        }
        if overdue >= LATE_FAILING:
            return Found("failing", "jobs are overdue by more than a day", measures)
        if overdue >= LATE_DEGRADED:
            return Found("degraded", "jobs are overdue by more than an hour", measures)
        if late.failing or late.paused_by_failures:
            return Found("degraded", "jobs fail", measures)
        return Found(measures=measures)

    async def _mail(self, tenant: UUID) -> Found:
        async with self._database.session() as session:
            unsent = await MailOutboxRepository(session).unsent(tenant)
        waited = self._age(unsent.oldest)
        measures = {"waiting": unsent.waiting, "dead": unsent.dead, "oldest_seconds": waited.total_seconds()}
        if tenant not in self._settings.mail_senders:
            if unsent.waiting:
                return Found("degraded", "mail waits and no mailbox is set to send it from", measures)
            return Found("not_configured", "no mailbox is set to send mail from", measures)
        if unsent.dead:
            return Found("degraded", "mail was given up", measures)
        if waited >= MAIL_DEGRADED:
            return Found("degraded", "mail waits to be sent", measures)
        return Found(measures=measures)

    async def _runs(self, tenant: UUID) -> Found:
        """Runs that ended with trouble recently, requested by anyone (domain.md 2.12, 8.4)."""
        async with self._database.session() as session:
            ended = await SystemStateRepository(session).trouble(tenant, self._clock.now() - TROUBLE_LASTS)
        measures = {"failed": ended.failed, "with_errors": ended.with_errors}
        if ended.failed:
            return Found("degraded", "runs could read nothing", measures)
        if ended.with_errors:
            return Found("degraded", "runs ended with errors", measures)
        return Found(measures=measures)

    async def probe_durable(self, client: DurableClient | None) -> Found:
        """Ask the Durable backend for an instance that does not exist. Raises any error."""
        if client is None:
            return Found("not_configured", "there is no durable client")
        await client.get_orchestration_state(f"health-{uuid4()}", fetch_payloads=False)
        return Found()

    def _age(self, since: datetime | None) -> timedelta:
        return max(timedelta(0), self._clock.now() - since) if since is not None else timedelta(0)


async def answers(ask: Awaitable[object]) -> None:
    """A store that says that something does not exist has answered."""
    try:
        await ask
    except NotFound:
        return


def _expected_revision() -> str:
    # Alembic is heavy and only needed here.
    from shared.database.migrate import newest_revision

    return newest_revision()

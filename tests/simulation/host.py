"""One process of ours: its clock, its connections, the application; it can die at any moment."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx

from shared.application import Application
from shared.composition.foundations import Foundations
from shared.graph.client import GraphClient
from shared.settings import Settings
from tests.simulation.epoch import EPOCH
from tests.simulation.graph_world import GraphTransport, GraphWorld
from tests.simulation.postgres_wire import PostgresWire
from tests.simulation.warm_database import WarmDatabase
from tests.support.locked_periods import PeriodLocker


class HostClock:
    """A process's idea of the time: virtual, and possibly wrong by some seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop, offset: float) -> None:
        self._loop = loop
        self.offset = offset

    def now(self) -> datetime:
        """The current instant, aware, in UTC."""
        return EPOCH + timedelta(seconds=self._loop.time() + self.offset)

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        await asyncio.sleep(max(0.0, seconds))


class _Token:
    token = "token"
    expires_on = 4_000_000_000


class _Tokens:
    """Tokens are not what is simulated here."""

    async def get_token(self, *scopes: str, **options: Any) -> _Token:
        return _Token()

    async def value(self) -> str:
        return _Token.token

    async def invalidate(self, value: str | None = None) -> None:
        return

    async def close(self) -> None:
        return


class SimulatedGraphClient(GraphClient):
    """The real client on the simulated transport."""

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport) -> None:
        tokens: Any = _Tokens()
        super().__init__(
            settings.graph_base_url,
            tokens,
            scope=settings.graph_scope,
            read_timeout=settings.graph_read_timeout,
        )
        self._transport = transport

    @property
    def _timeout(self) -> httpx.Timeout:
        return httpx.Timeout(3600.0)


def simulated_application(
    settings: Settings,
    clock: HostClock,
    database: WarmDatabase,
    transport: httpx.AsyncBaseTransport,
) -> Application:
    """The application on a simulated clock and network."""
    foundations = Foundations(settings, clock=clock, database=database)
    foundations.graph = SimulatedGraphClient(settings, transport)
    return Application(foundations)


class Host:
    """A worker process. After ``die`` nothing it still tries has any effect."""

    def __init__(
        self, name: str, settings: Settings, graph: GraphWorld, wire: PostgresWire, clock: HostClock
    ) -> None:
        self.name = name
        self.clock = clock
        self.dead = False
        #: Until when Graph told this process to leave a mailbox alone: by its own clock, and by the loop's,
        #: which never jumps.
        self.told: dict[str, tuple[datetime, float]] = {}
        self._wire = wire
        self._transport = GraphTransport(graph, name, self._told)
        self.database = WarmDatabase(settings, application_name=name)
        #: The product, whole; only what reaches the outside is simulated.
        self.app = simulated_application(settings, clock, self.database, self._transport)
        self.period_locker = PeriodLocker(clock, self.app.foundations.audit_writer)
        #: Their names, in the order in which they began: that of a set of tasks differs between processes.
        self.activities: dict[asyncio.Task[Any], str] = {}

    def die(self, *, calls_arrive: bool) -> None:
        """The process is gone at once: no rollback of its own, no release, no goodbye."""
        self.dead = self._transport.dead = True
        self._wire.kill(self.name, calls_arrive=calls_arrive)

    def cancel(self, work: asyncio.Task[Any]) -> None:
        """Work of the process is cancelled, as at an orderly shutdown."""
        self._transport.cancelled_at = asyncio.get_running_loop().time()
        work.cancel()

    async def close(self) -> None:
        """End the process in order."""
        if not self.dead:
            await self.database.close()

    def _told(self, mailbox: str, seconds: float) -> None:
        until = self.clock.now() + timedelta(seconds=seconds), asyncio.get_running_loop().time() + seconds
        self.told[mailbox] = max(until, self.told.get(mailbox, until))

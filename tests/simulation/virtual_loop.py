"""An event loop with virtual time. Its only input and output is PostgreSQL, one call at a time.

Nothing in it depends on the speed of the machine. A callback runs when it is its turn. A database call is
answered when nothing else can run. Time moves on to the next timer only when no database call is open.
"""

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

from tests.simulation.postgres_wire import PostgresWire
from tests.simulation.prober import Stalled


class _NoInput(selectors.SelectSelector):
    """The loop's selector: waiting means letting the database answer, then letting time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: VirtualLoop | None = None

    def select(self, timeout: float | None = None) -> list[Any]:
        if self.loop is not None and (timeout is None or timeout > 0):
            self.loop.idle(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs one seed. ``wire`` is the way to PostgreSQL, ``time()`` the virtual seconds since its start."""

    def __init__(self, wire: PostgresWire) -> None:
        self._virtual = 0.0
        selector = _NoInput()
        super().__init__(selector)
        selector.loop = self
        self.wire = wire

    def time(self) -> float:
        """Virtual seconds."""
        return self._virtual

    def idle(self, timeout: float | None) -> None:
        """Nothing can run: answer a database call, else move time on to the next timer."""
        if self.wire.answer_one():
            return
        if timeout is None:
            raise Stalled("nothing can run and nothing is waited for: a deadlock")
        self._virtual += timeout

    async def create_unix_connection(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.Protocol], path: str | None = None, **_: Any
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Connect to PostgreSQL; asyncpg is the only caller."""
        protocol = protocol_factory()
        transport = self.wire.connect(self, protocol)
        return transport, protocol

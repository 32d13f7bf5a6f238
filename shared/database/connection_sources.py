"""Connections for single reads: from SQLAlchemy's pool, or from the driver while there is no pool."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

#: For a connection used this recently, only the socket is checked, because a ping is a round trip.
RESTED_SECONDS: Final = 2.0
#: It takes one round trip, and SQLAlchemy's own ping takes three. asyncpg refuses an empty statement.
PING: Final = "SELECT 1"
#: How long a server may take to answer a ping. A frozen one never does, and a caller waits for it.
PING_SECONDS: Final = 2.0
#: The age in seconds at which a connection is replaced. A load balancer may drop an old one without a word.
RECYCLE_SECONDS: Final = 1800


class Borrowed(Protocol):
    """A borrowed connection."""

    @property
    def driver(self) -> Any:
        """The connection of asyncpg."""
        ...

    async def give_back(self) -> None:
        """Return it."""
        ...

    def discard(self) -> None:
        """Close it at once, because its state is unknown."""
        ...


class ConnectionSource(Protocol):
    """A source of connections."""

    async def borrow(self) -> Borrowed:
        """A connection outside any transaction. Raises Unavailable if none is available."""
        ...


@dataclass(slots=True)
class _Opened:
    driver: Any
    opened_at: float
    rested_since: float = 0.0


class DriverConnections:
    """Connections of the driver itself, for a worker that has only read so far. For one event loop.

    Loading SQLAlchemy takes a third of a cold start. As soon as there is a pool, reads borrow from it. It
    takes over one of these connections, and the others are closed. The borrowers limit their own number.
    """

    def __init__(self, connect: Callable[[], Awaitable[Any]]) -> None:
        """``connect`` opens one. It raises Unavailable if it cannot."""
        self._connect = connect
        self._idle: deque[_Opened] = deque()
        self._closed = False

    async def borrow(self) -> Borrowed:
        """The one used last, if it is still good, else a new one. Raises Unavailable."""
        while self._idle:
            opened = self._idle.pop()
            if await self._is_good(opened):
                return _FromDriver(opened, self)
            opened.driver.terminate()
        driver = await self._connect()
        return _FromDriver(_Opened(driver, time.monotonic()), self)

    def keep(self, opened: _Opened) -> None:
        """Take one back."""
        if self._closed:
            opened.driver.terminate()
        else:
            opened.rested_since = time.monotonic()
            self._idle.append(opened)

    def close(self) -> None:
        """Close the idle ones now, the others as they are given back."""
        self._closed = True
        self._close_idle()

    def hand_over(self) -> Any:
        """Close all but the one used last, which the caller now owns. None if there is no new one."""
        last = self._idle.pop() if self._idle else None
        self.close()
        if last is None:
            return None
        age = time.monotonic() - last.opened_at
        if not last.driver.is_closed() and age < RESTED_SECONDS:
            return last.driver
        last.driver.terminate()
        return None

    async def _is_good(self, opened: _Opened) -> bool:
        now = time.monotonic()
        if opened.driver.is_closed() or now - opened.opened_at >= RECYCLE_SECONDS:
            return False
        if now - opened.rested_since < RESTED_SECONDS:
            return True
        try:
            await opened.driver.execute(PING, timeout=PING_SECONDS)
        except asyncio.CancelledError:
            opened.driver.terminate()
            raise
        except Exception:
            # As SQLAlchemy's pool does. If the server is frozen, each of them would cost a whole ping.
            self._close_idle()
            return False
        return True

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().driver.terminate()


@dataclass(frozen=True, slots=True)
class _FromDriver:
    opened: _Opened
    source: DriverConnections

    @property
    def driver(self) -> Any:
        return self.opened.driver

    async def give_back(self) -> None:
        self.source.keep(self.opened)

    def discard(self) -> None:
        self.opened.driver.terminate()

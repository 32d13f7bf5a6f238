"""Respects Graph's limits per mailbox: four requests at a time, and none during a pause."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Protocol

from shared.clock import Clock, SystemClock

#: Concurrent requests per app and mailbox (graph.md, Throttling). A parallel $batch uses all of them.
MAILBOX_SLOTS = 4


class ThrottleGate(Protocol):
    """Stores a mailbox's ``Retry-After`` for all processes. Instants are UTC."""

    async def wait_until(self, mailbox: str) -> datetime | None:
        """The instant from which the mailbox accepts requests again, or None."""
        ...

    async def close_until(self, mailbox: str, until: datetime) -> None:
        """Record that nothing may be sent to the mailbox before ``until``. Never moves it earlier."""
        ...


class Throttle:
    """The slots and pauses of every mailbox that this process calls. For one event loop."""

    def __init__(self, gate: ThrottleGate | None = None, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self._gate = gate
        self._closed: dict[str, datetime] = {}
        self._slots: dict[str, _Slots] = {}

    def known_wait(self, mailbox: str) -> float:
        """For how many seconds this process knows that the mailbox is paused. 0.0 if it is not."""
        until = self._closed.get(mailbox)
        if until is None:
            return 0.0
        wait = (until - self.clock.now()).total_seconds()
        if wait > 0:
            return wait
        del self._closed[mailbox]
        return 0.0

    async def wait(self, mailbox: str) -> float:
        """For how many seconds the mailbox is paused, by any process."""
        if self._gate is not None:
            until = await self._gate.wait_until(mailbox)
            if until is not None:
                self._close(mailbox, until)
        return self.known_wait(mailbox)

    async def close(self, mailbox: str, seconds: float) -> None:
        """Pause the mailbox for every process."""
        until = self.clock.now() + timedelta(seconds=seconds)
        self._close(mailbox, until)
        if self._gate is not None:
            await self._gate.close_until(mailbox, until)

    def _close(self, mailbox: str, until: datetime) -> None:
        if until > self.clock.now():
            self._closed[mailbox] = max(until, self._closed.get(mailbox, until))

    @asynccontextmanager
    async def slots(self, mailbox: str, count: int) -> AsyncIterator[None]:
        """Hold ``count`` of the mailbox's slots, at most all, first come, first served."""
        slots = self._slots.get(mailbox)
        if slots is None:
            slots = self._slots[mailbox] = _Slots()
        count = min(count, MAILBOX_SLOTS)
        await slots.acquire(count)
        try:
            yield
        finally:
            slots.release(count)
            if slots.idle:
                self._slots.pop(mailbox, None)


class _Slots:
    """A semaphore that gives several places at once. Waiters are served in order."""

    __slots__ = ("_free", "_waiters")

    def __init__(self) -> None:
        self._free = MAILBOX_SLOTS
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def idle(self) -> bool:
        return self._free == MAILBOX_SLOTS and not self._waiters

    async def acquire(self, count: int) -> None:
        if not self._waiters and self._free >= count:
            self._free -= count
            return
        served: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (count, served)
        self._waiters.append(entry)
        try:
            await served
        except asyncio.CancelledError:
            if not served.cancelled():
                self.release(count)
            elif entry in self._waiters:
                self._waiters.remove(entry)
                self._serve()
            raise

    def release(self, count: int) -> None:
        self._free += count
        self._serve()

    def _serve(self) -> None:
        while self._waiters and self._waiters[0][0] <= self._free:
            count, served = self._waiters.popleft()
            if not served.done():
                self._free -= count
                served.set_result(None)

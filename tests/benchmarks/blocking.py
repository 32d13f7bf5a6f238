"""Synchronous SQLAlchemy for threads, as in the predecessor, for comparison.

The sessions are SQLAlchemy's synchronous ones, and each call blocks its thread. The driver is our own one,
run to its answer in the calling thread. So the comparison is about the way of working and not about two
drivers.
"""

import asyncio
import queue
import threading
from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.util.concurrency import greenlet_spawn

from shared.settings import normalise_database_url

_PATIENCE = 60.0


class _Lane:
    """One connection, used by one thread at a time."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._engine: AsyncEngine = create_async_engine(url, pool_size=1, max_overflow=0)

    def run[Result](self, work: Callable[[Session], Result]) -> Result:
        result: Result = self._loop.run_until_complete(greenlet_spawn(self._unit, work))
        return result

    def _unit[Result](self, work: Callable[[Session], Result]) -> Result:
        with Session(self._engine.sync_engine, expire_on_commit=False) as session:
            result = work(session)
            session.commit()
        return result

    def close(self) -> None:
        self._loop.run_until_complete(self._engine.dispose())
        self._loop.close()


class BlockingDatabase:
    """At most ``size`` connections. Threads borrow one for each unit of work."""

    def __init__(self, url: str, size: int) -> None:
        self._lanes: queue.LifoQueue[_Lane] = queue.LifoQueue()
        self._all = [_Lane(normalise_database_url(url)) for _ in range(size)]
        for lane in self._all:
            self._lanes.put(lane)

    def run[Result](self, work: Callable[[Session], Result]) -> Result:
        """``work`` in one transaction, committed at its end. Raises queue.Empty when none gets free."""
        lane = self._lanes.get(timeout=_PATIENCE)
        try:
            return lane.run(work)
        finally:
            self._lanes.put(lane)

    def close(self) -> None:
        """Close every connection; none may be in use."""

        def close_all() -> None:
            for lane in self._all:
                lane.close()

        # A thread that runs an event loop of its own cannot run theirs.
        closing = threading.Thread(target=close_all)
        closing.start()
        closing.join()

"""Connections for single reads, first come first served, and passed from one read directly to the next.

Returning the connection to the pool each time takes 2.1 times as long (``./dev bench prepared``).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from shared.database import failures
from shared.database.connection_sources import Borrowed, ConnectionSource

#: A connection returns to the pool after this time even if reads wait. Others wait for the pool too, and it
#: replaces old connections.
LONGEST_LOAN: Final = 0.25


@dataclass(frozen=True, slots=True)
class _Loan:
    """A borrowed connection. ``until`` is a time of the loop."""

    borrowed: Borrowed
    driver: Any
    until: float


class ReadConnections:
    """Borrows at most ``places`` connections at a time. For one event loop.

    While reads wait, a connection does not return to its source between two of them, which would cost more
    than the read. A new read is served after those that wait, so the waiting is fair.
    """

    def __init__(self, places: int, patience: float) -> None:
        self._free = places
        self._patience = patience
        # Waiting reads. Each gets a connection, or None: a place to borrow one.
        self._waiting: deque[asyncio.Future[_Loan | None]] = deque()

    async def run[Found](self, source: ConnectionSource, read: Callable[[Any], Awaitable[Found]]) -> Found:
        """The result of one ``read`` on a connection of the driver, outside any transaction.

        Raises Unavailable after ``patience`` seconds of waiting, the errors of borrowing a connection, and
        the errors of the read. A connection is not used again after a timeout or any error except a refusal
        by the server.
        """
        loan = await self._turn() or await self._borrow(source)
        try:
            found = await read(loan.driver)
        except asyncpg.PostgresError:
            await self._give_back(loan)
            raise
        except BaseException:
            loan.borrowed.discard()
            self._next(None)
            raise
        if not self._hands_over(loan):
            await self._give_back(loan)
        return found

    async def _turn(self) -> _Loan | None:
        """Wait for a place. It comes with a connection if the previous read left one."""
        if self._free:
            self._free -= 1
            return None
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[_Loan | None] = loop.create_future()
        self._waiting.append(turn)
        patience = loop.call_later(self._patience, self._lose_patience, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                # This read already had its turn when it was cancelled.
                await self._pass_by(turn.result())
            raise
        finally:
            patience.cancel()

    def _lose_patience(self, turn: "asyncio.Future[_Loan | None]") -> None:
        if not turn.done():
            turn.set_exception(failures.pool_exhausted(TimeoutError(), self._patience))

    async def _borrow(self, source: ConnectionSource) -> _Loan:
        try:
            borrowed = await source.borrow()
        except BaseException:
            self._next(None)
            raise
        return _Loan(borrowed, borrowed.driver, asyncio.get_running_loop().time() + LONGEST_LOAN)

    def _hands_over(self, loan: _Loan) -> bool:
        """Whether another read waits and takes the connection."""
        if not self._waiting or loan.driver.is_closed():
            return False
        return asyncio.get_running_loop().time() < loan.until and self._next(loan)

    async def _pass_by(self, loan: _Loan | None) -> None:
        if loan is None:
            self._next(None)
        elif not self._hands_over(loan):
            await self._give_back(loan)

    async def _give_back(self, loan: _Loan) -> None:
        try:
            await loan.borrowed.give_back()
        finally:
            self._next(None)

    def _next(self, loan: _Loan | None) -> bool:
        """Give the place to the first waiting read. If none waits, free it without a connection."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(loan)
                return True
        if loan is None:
            self._free += 1
        return False

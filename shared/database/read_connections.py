"""Connections for single reads: taken in the order of asking, handed from one read straight to the next.

Giving the connection back to the pool each time takes 2.1 times as long (``./dev bench prepared``).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from shared.database import failures
from shared.database.lending import Lender, Lent

#: A connection goes back to the pool after this time even if reads wait: others wait for the pool too, and
#: the pool replaces what has become old.
LONGEST_LOAN: Final = 0.25


@dataclass(frozen=True, slots=True)
class _Loan:
    """A connection that is lent; ``until`` is a time of the loop."""

    lent: Lent
    driver: Any
    until: float


class ReadConnections:
    """At most ``places`` connections are lent at a time; for one event loop.

    While reads wait, a connection does not go back to its lender between two of them, which would cost more
    than the read itself. A read that comes while others wait is served after them, so all wait alike.
    """

    def __init__(self, places: int, patience: float) -> None:
        self._free = places
        self._patience = patience
        # Those whose turn has not come; each gets a connection, or None: a place to lend one for.
        self._waiting: deque[asyncio.Future[_Loan | None]] = deque()

    async def run[Found](self, lender: Lender, read: Callable[[Any], Awaitable[Found]]) -> Found:
        """What one ``read`` finds on a connection of the driver, outside of any transaction.

        Raises Unavailable after ``patience`` seconds without a turn, what lending a connection raises, and
        what the read raises. A connection on which anything but a refusal of the server went wrong, or that
        was given up waiting for, is not used again.
        """
        loan = await self._turn() or await self._lend(lender)
        try:
            found = await read(loan.driver)
        except asyncpg.PostgresError:
            await self._give_back(loan)
            raise
        except BaseException:
            loan.lent.discard()
            self._next(None)
            raise
        if not self._hands_over(loan):
            await self._give_back(loan)
        return found

    async def _turn(self) -> _Loan | None:
        """Wait for a place; with a connection if the one before left it."""
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
                # It was this one's turn already when he was cancelled.
                await self._pass_by(turn.result())
            raise
        finally:
            patience.cancel()

    def _lose_patience(self, turn: "asyncio.Future[_Loan | None]") -> None:
        if not turn.done():
            turn.set_exception(failures.pool_exhausted(TimeoutError(), self._patience))

    async def _lend(self, lender: Lender) -> _Loan:
        try:
            lent = await lender.lend()
        except BaseException:
            self._next(None)
            raise
        return _Loan(lent, lent.driver, asyncio.get_running_loop().time() + LONGEST_LOAN)

    def _hands_over(self, loan: _Loan) -> bool:
        """Whether somebody waits who takes the connection as it is."""
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
            await loan.lent.give_back()
        finally:
            self._next(None)

    def _next(self, loan: _Loan | None) -> bool:
        """Give a place to the first who waits; without anybody a place without connection becomes free."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(loan)
                return True
        if loan is None:
            self._free += 1
        return False

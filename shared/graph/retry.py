"""Retries reads: bounded, jittered, and never before Graph permits it."""

import logging
import random
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from shared.graph.errors import TOLD_TO_WAIT, GraphCallError
from shared.graph.throttle import Throttle

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most ``attempts`` tries and ``patience`` seconds of waiting. None begins after ``latest`` seconds.

    For a longer wait, the caller gets StoreUnavailable with ``retry_after`` and can release its place.
    """

    attempts: int = 5
    first_delay: float = 0.5
    longest_delay: float = 8.0
    patience: float = 20.0
    latest: float = 120.0

    def delay(self, attempt: int) -> float:
        """Seconds before the try after ``attempt`` (from 1) if Graph gives none: full jitter."""
        ceiling = min(self.longest_delay, self.first_delay * 2.0 ** (attempt - 1))
        return ceiling * random.uniform(0.5, 1.0)


class Reads:
    """Runs reads of mailboxes under their throttle."""

    def __init__(self, throttle: Throttle, policy: RetryPolicy | None = None) -> None:
        self._throttle = throttle
        self._policy = policy or RetryPolicy()

    async def run[T](
        self,
        mailbox: str,
        call: Callable[[], Awaitable[T]],
        *,
        slots: int = 1,
        repeatable: bool = True,
        given_up: Collection[int] = (),
    ) -> T:
        """The result of ``call``, retried while the failure is temporary. Raises the last GraphCallError.

        ``repeatable=False`` is for a call with an effect. It is retried only if Graph refused to start it.
        ``given_up`` are statuses that failed every time before, so they are not retried.
        """
        policy, attempt, waited = self._policy, 1, 0.0
        began = self._throttle.clock.now()
        while True:
            waited += await self._until_open(mailbox, policy.patience - waited)
            try:
                async with self._throttle.slots(mailbox, slots):
                    if self._throttle.known_wait(mailbox) > 0:
                        continue
                    return await call()
            except GraphCallError as failure:
                if failure.retry_after is not None:
                    await self._throttle.close(mailbox, failure.retry_after)
                may_repeat = failure.passing and (repeatable or failure.status == 429)
                may_repeat = may_repeat and failure.status not in given_up
                elapsed = (self._throttle.clock.now() - began).total_seconds()
                if not may_repeat or attempt >= policy.attempts or elapsed > policy.latest:
                    raise
                _log.warning("graph read failed, attempt %d: %s", attempt, failure)
                if failure.retry_after is None:
                    delay = policy.delay(attempt)
                    if waited + delay > policy.patience:
                        raise
                    await self._throttle.clock.sleep(delay)
                    waited += delay
                attempt += 1

    async def _until_open(self, mailbox: str, patience: float) -> float:
        """Wait for the mailbox's pause. Raises GraphCallError after more than ``patience`` seconds."""
        wait = await self._throttle.wait(mailbox)
        if wait <= 0:
            return 0.0
        if wait > patience:
            raise GraphCallError(429, TOLD_TO_WAIT, wait)
        # The extra wait spreads callers that were told the same instant.
        wait += random.uniform(0.02, 0.25)
        await self._throttle.clock.sleep(wait)
        return wait

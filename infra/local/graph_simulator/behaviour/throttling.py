"""Throttling as graph.md describes it: concurrency and quotas per app and mailbox, a global quota per app."""

import asyncio
import math
from collections import deque
from collections.abc import Iterable

from infra.local.graph_simulator.behaviour.counters import Counters
from infra.local.graph_simulator.behaviour.settings import Settings
from infra.local.graph_simulator.values.errors import GraphError, throttled

_BUCKETS = 60


class SlidingWindow:
    """A sum over the last ``seconds``, kept in buckets of a sixtieth of it."""

    __slots__ = ("_buckets", "_width", "total")

    def __init__(self, seconds: float) -> None:
        self._width = seconds / _BUCKETS
        self._buckets: deque[list[int]] = deque()
        self.total = 0

    def add(self, amount: int, now: float) -> None:
        """Add to the present."""
        number = int(now / self._width)
        self._expire(number)
        if self._buckets and self._buckets[-1][0] == number:
            self._buckets[-1][1] += amount
        else:
            self._buckets.append([number, amount])
        self.total += amount

    def wait_seconds(self, limit: int, now: float) -> int:
        """0 while the sum is below the limit, else whole seconds until enough of it has passed."""
        self._expire(int(now / self._width))
        remaining = self.total
        for number, amount in self._buckets:
            if remaining < limit:
                break
            remaining -= amount
            wait = (number + _BUCKETS + 1) * self._width - now
            if remaining < limit:
                return max(1, math.ceil(wait))
        return 0

    def _expire(self, number: int) -> None:
        while self._buckets and self._buckets[0][0] < number - _BUCKETS:
            self.total -= self._buckets.popleft()[1]


class _MailboxLoad:
    __slots__ = ("mails", "requests", "running", "written")

    def __init__(self) -> None:
        self.running = 0
        self.requests = SlidingWindow(600)
        self.written = SlidingWindow(300)
        self.mails = SlidingWindow(60)


class Throttle:
    """Admits requests; those it refuses count against the quotas too."""

    def __init__(self, settings: Settings, counters: Counters) -> None:
        self._settings = settings
        self._counters = counters
        self._loads: dict[tuple[str, str], _MailboxLoad] = {}
        self._apps: dict[str, SlidingWindow] = {}
        #: Mailbox -> (told at, wait until), loop time.
        self._told: dict[str, tuple[float, float]] = {}

    def admit(self, app: str, mailbox: str, written: int) -> None:
        """Take a slot for one request, to be given back by ``release``; raises 429 ApplicationThrottled."""
        now = asyncio.get_running_loop().time()
        settings = self._settings
        load = self._load(app, mailbox)
        app_window = self._apps.get(app)
        if app_window is None:
            app_window = self._apps[app] = SlidingWindow(10)
        waits = (
            ("Application", app_window, settings.app_requests_per_10_s),
            ("MailboxRequests", load.requests, settings.requests_per_10_min),
            ("MailboxUpload", load.written, settings.write_bytes_per_5_min),
        )
        refusal: GraphError | None = None
        for name, window, limit in waits:
            if limit is not None and window.total >= limit:
                wait = window.wait_seconds(limit, now)
                if wait:
                    refusal = throttled(name, wait)
                    break
        app_window.add(1, now)
        load.requests.add(1, now)
        if refusal is None and settings.concurrency is not None and load.running >= settings.concurrency:
            refusal = throttled("MailboxConcurrency", settings.concurrency_retry_after)
        if refusal is not None:
            self._counters.throttled(mailbox)
            raise refusal
        if written:
            load.written.add(written, now)
        load.running += 1
        self._counters.concurrent(mailbox, load.running)

    def release(self, app: str, mailbox: str) -> None:
        """Give a slot back."""
        self._load(app, mailbox).running -= 1

    def admit_mail(self, app: str, mailbox: str) -> None:
        """Count one message sent; raises 429 over the mailbox's message rate."""
        now = asyncio.get_running_loop().time()
        window, limit = self._load(app, mailbox).mails, self._settings.mails_per_minute
        wait = 0 if limit is None else window.wait_seconds(limit, now)
        if wait:
            self._counters.throttled(mailbox)
            raise throttled("MailboxMessageRate", wait)
        window.add(1, now)

    def arrived(self, mailbox: str, at: float) -> None:
        """Count a request that arrived while its mailbox had been told to wait."""
        told = self._told.get(mailbox)
        if told is not None and told[0] + self._settings.told_grace_ms / 1000 <= at < told[1]:
            self._counters.told_to_wait(mailbox)

    def tell(self, waits: Iterable[tuple[str, float]]) -> None:
        """Note that an answer with Retry-After (seconds) for these mailboxes is about to leave."""
        now = asyncio.get_running_loop().time()
        for mailbox, seconds in waits:
            told, until = self._told.get(mailbox, (now, now))
            fresh = told if until > now else now
            self._told[mailbox] = (fresh, max(until, now + seconds))

    def _load(self, app: str, mailbox: str) -> _MailboxLoad:
        found = self._loads.get((app, mailbox))
        if found is None:
            found = self._loads[app, mailbox] = _MailboxLoad()
        return found

"""What goes wrong at Graph, within the fault model of design.md: drawn from the seed, request by request."""

import asyncio
import random
from dataclasses import dataclass, field
from enum import Enum

from infra.local.graph_simulator.errors import GraphError, injected
from infra.local.graph_simulator.faults import Faults, Hit

LONGEST_DELAY_SECONDS = 60.0
_STATUSES = (500, 502, 503, 504)


class Outer(Enum):
    """What happens to one HTTP request."""

    NOTHING = "nothing"
    NEVER_SENT = "not connected"
    RESET_BEFORE = "connection reset before the effect"
    RESET_AFTER = "connection reset after the effect"
    HANGS_BEFORE = "no answer and no effect"
    HANGS_AFTER = "no answer after the effect"
    DELAYED = "connection reset, the effect comes later"
    ERROR_BEFORE = "an error before the effect"
    ERROR_AFTER = "an error after the effect"
    THROTTLED = "told to wait"


_OUTAGE = (
    *(Outer.RESET_AFTER, Outer.HANGS_AFTER, Outer.DELAYED, Outer.ERROR_AFTER),
    *(Outer.RESET_BEFORE, Outer.ERROR_BEFORE, Outer.NEVER_SENT, Outer.NOTHING),
)
_OUTER = [fault for fault in Outer if fault is not Outer.NOTHING]


@dataclass(frozen=True, slots=True)
class Inner:
    """What happens to one sub-request beyond what a Hit says."""

    error_after: GraphError | None = None
    missing_before: bool = False
    delayed_seconds: float | None = None


@dataclass(slots=True)
class Weather:
    """How often what goes wrong; probabilities by request."""

    outer: float = 0.0
    inner: float = 0.0
    stale: float = 0.0
    slow: float = 0.0

    @classmethod
    def of(cls, rng: random.Random) -> "Weather":
        """Calm, unsettled or stormy."""
        if rng.random() < 0.15:
            return cls()
        scale = rng.choice((0.3, 1.0, 1.0, 2.0))
        return cls(
            outer=scale * rng.choice((0.0, 0.05, 0.1, 0.2)),
            inner=scale * rng.choice((0.02, 0.1, 0.2)),
            stale=scale * rng.choice((0.0, 0.1, 0.4)),
            slow=scale * rng.choice((0.0, 0.05)),
        )


@dataclass(slots=True)
class GraphFaults(Faults):
    """Draws the faults of requests; ``calm`` ends them for good."""

    rng: random.Random
    weather: Weather
    struck: dict[str, int] = field(default_factory=dict)
    #: Loop time until which hardly any answer arrives.
    outage_until: float = 0.0

    def __post_init__(self) -> None:
        # A rule that never strikes: it lets the simulator run sub-requests side by side.
        self.rules = []

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self.weather = Weather()
        self.outage_until = 0.0

    def outer(self) -> Outer:
        """What happens to the next HTTP request."""
        if asyncio.get_running_loop().time() < self.outage_until:
            return self._count(self.rng.choice(_OUTAGE))
        if not self._chance(self.weather.outer):
            return Outer.NOTHING
        return self._count(self.rng.choice(_OUTER))

    def seconds(self) -> float:
        """How long the service takes for one request or sub-request."""
        if self._chance(self.weather.slow):
            return self.rng.uniform(1.0, 25.0)
        return self.rng.uniform(0.01, 0.4)

    def delay(self) -> float:
        """How long an effect may come after its request was given up."""
        return self.rng.uniform(0.0, LONGEST_DELAY_SECONDS - 1.0)

    def error(self) -> GraphError:
        """A server's error that says nothing about the effect."""
        return injected(self.rng.choice(_STATUSES), None, None)

    def throttling(self) -> GraphError:
        """A refusal before any effect, with or without Retry-After."""
        wait = self.rng.choice((None, 1, 2, 5, 10, 19, 30, 90))
        if self.rng.random() < 0.7:
            return injected(429, "ApplicationThrottled", wait)
        return injected(503, "TooManyRequests", wait)

    def strike(self, method: str, path: str, *, in_batch: bool, names: frozenset[str]) -> Hit | None:
        """The simulator asks this for every request; ``Hit`` carries what it knows to do."""
        hit = Hit(delay_seconds=self.seconds())
        if method == "GET" and self._chance(self.weather.stale):
            hit.stale_seconds = self.rng.uniform(1.0, LONGEST_DELAY_SECONDS - 1.0)
        if in_batch and self._chance(self.weather.inner):
            kind = self.rng.randrange(5)
            self.struck[f"inner {kind}"] = self.struck.get(f"inner {kind}", 0) + 1
            if kind == 0:
                hit.error = self.throttling()
            elif kind == 1:
                hit.error = self.error()
            elif kind == 2:
                hit.missing = True
            else:
                self.next_inner = self._inner(kind)
        return hit

    next_inner: Inner | None = None

    def take_inner(self) -> Inner | None:
        """What the simulator's Hit cannot say about the sub-request that was just struck."""
        inner, self.next_inner = self.next_inner, None
        return inner

    def _inner(self, kind: int) -> Inner:
        if kind == 3:
            return Inner(error_after=self.error())
        if self.rng.random() < 0.5:
            return Inner(missing_before=True)
        return Inner(delayed_seconds=self.delay(), error_after=self.error())

    def _chance(self, probability: float) -> bool:
        return probability > 0 and self.rng.random() < probability

    def _count(self, fault: Outer) -> Outer:
        self.struck[fault.value] = self.struck.get(fault.value, 0) + 1
        return fault

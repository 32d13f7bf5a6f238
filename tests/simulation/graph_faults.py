"""What goes wrong at Graph, within the fault model of design.md: drawn from the seed, request by request."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, StrEnum

from infra.local.graph_simulator.behaviour.faults import Faults, Hit
from infra.local.graph_simulator.values.errors import GraphError, injected
from tests.simulation.fault_sites import FaultSites, Grudge, graph_place

LONGEST_DELAY_SECONDS = 60.0
_STATUSES = (500, 502, 503, 504)


class Kind(StrEnum):
    """Every kind of fault of Graph that a world may have."""

    NEVER_SENT = "Graph: not connected"
    RESET_BEFORE = "Graph: connection reset before the effect"
    RESET_AFTER = "Graph: connection reset after the effect"
    TIMEOUT_BEFORE = "Graph: timeout without effect"
    TIMEOUT_AFTER = "Graph: timeout after the effect"
    DELAYED = "Graph: connection reset, the effect comes later"
    ERROR_BEFORE = "Graph: error before the effect"
    ERROR_AFTER = "Graph: error after the effect"
    THROTTLED_TOLD = "Graph: 429 with Retry-After"
    THROTTLED_UNTOLD = "Graph: 429 without Retry-After"
    BUSY_TOLD = "Graph: 503 with Retry-After"
    BUSY_UNTOLD = "Graph: 503 without Retry-After"
    PART_THROTTLED = "Graph: part of a batch throttled"
    PART_ERROR_BEFORE = "Graph: part of a batch fails before the effect"
    PART_ERROR_AFTER = "Graph: part of a batch fails after the effect"
    PART_MISSING_BEFORE = "Graph: part of a batch without answer or effect"
    PART_MISSING_AFTER = "Graph: part of a batch without answer, after the effect"
    PART_DELAYED = "Graph: part of a batch fails, the effect comes later"
    STALE = "Graph: stale read"
    SLOW = "Graph: slow answer"


class Outer(Enum):
    """What happens to one HTTP request; its value is how it is counted."""

    NOTHING = None
    NEVER_SENT = Kind.NEVER_SENT
    RESET_BEFORE = Kind.RESET_BEFORE
    RESET_AFTER = Kind.RESET_AFTER
    HANGS_BEFORE = Kind.TIMEOUT_BEFORE
    HANGS_AFTER = Kind.TIMEOUT_AFTER
    DELAYED = Kind.DELAYED
    ERROR_BEFORE = Kind.ERROR_BEFORE
    ERROR_AFTER = Kind.ERROR_AFTER
    #: Counted by what it is told.
    THROTTLED = "throttled"


_OUTAGE = (
    *(Outer.RESET_AFTER, Outer.HANGS_AFTER, Outer.DELAYED, Outer.ERROR_AFTER),
    *(Outer.RESET_BEFORE, Outer.ERROR_BEFORE, Outer.NEVER_SENT, Outer.NOTHING),
)
_PARTS = [kind for kind in Kind if kind.name.startswith("PART_")]
_OUTER = [fault for fault in Outer if fault is not Outer.NOTHING]
# A refusal has four kinds, and rare places meet each of them.
_BEGRUDGED = [*_OUTER, *[Outer.THROTTLED] * 3]


@dataclass(frozen=True, slots=True)
class Inner:
    """What happens to one sub-request besides what a Hit says."""

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
    struck: Counter[str] = field(default_factory=Counter)
    sites: FaultSites = field(default_factory=FaultSites)
    grudge: Grudge | None = None
    #: Loop time until which hardly any answer arrives.
    outage_until: float = 0.0

    def __post_init__(self) -> None:
        # A rule that never strikes: it lets the simulator run sub-requests side by side.
        self.rules = []

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self.weather = Weather()
        self.outage_until = 0.0
        self.grudge = None

    def outer(self, place: str) -> Outer:
        """What happens to the next HTTP request, which is of the kind ``place``."""
        self.sites.passed[place] += 1
        if asyncio.get_running_loop().time() < self.outage_until:
            return self._drawn(self.rng.choice(_OUTAGE), place)
        if self._begrudged(place):
            assert self.grudge is not None
            return self._drawn(self.grudge.rng.choice(_BEGRUDGED), place)
        if not self._chance(self.weather.outer):
            return Outer.NOTHING
        return self._drawn(self.rng.choice(_OUTER), place)

    def seconds(self, place: str) -> float:
        """How long the service takes for one request or sub-request."""
        if self._chance(self.weather.slow):
            self.count(Kind.SLOW, place)
            return self.rng.uniform(1.0, 25.0)
        return self.rng.uniform(0.01, 0.4)

    def delay(self) -> float:
        """How long an effect may come after its request was given up."""
        return self.rng.uniform(0.0, LONGEST_DELAY_SECONDS - 1.0)

    def error(self) -> GraphError:
        """A server's error that says nothing about the effect."""
        return injected(self.rng.choice(_STATUSES), None, None)

    def throttling(self, place: str) -> GraphError:
        """A refusal before any effect, with or without Retry-After."""
        wait = self.rng.choice((None, None, None, 1, 2, 5, 10, 19, 30, 90))
        if self.rng.random() < 0.6:
            self.count(Kind.THROTTLED_UNTOLD if wait is None else Kind.THROTTLED_TOLD, place)
            return injected(429, "ApplicationThrottled", wait)
        self.count(Kind.BUSY_UNTOLD if wait is None else Kind.BUSY_TOLD, place)
        return injected(503, "TooManyRequests", wait)

    def strike(self, method: str, path: str, *, in_batch: bool, names: frozenset[str]) -> Hit | None:
        """The simulator asks this for every request; ``Hit`` carries what it knows to do."""
        place = graph_place(method, path, in_batch=in_batch)
        if in_batch:
            self.sites.passed[place] += 1
        hit = Hit(delay_seconds=self.seconds(place))
        if method == "GET" and self._chance(self.weather.stale):
            hit.stale_seconds = self.rng.uniform(1.0, LONGEST_DELAY_SECONDS - 1.0)
        if in_batch and (self._chance(self.weather.inner) or self._begrudged(place)):
            kind = self.rng.choice(_PARTS)
            self.count(kind, place)
            self.next_inner = self._inner(kind, hit, place)
        return hit

    next_inner: Inner | None = None

    def take_inner(self) -> Inner | None:
        """What the simulator's Hit cannot say about the sub-request that was just struck."""
        inner, self.next_inner = self.next_inner, None
        return inner

    def _inner(self, kind: Kind, hit: Hit, place: str) -> Inner | None:
        match kind:
            case Kind.PART_THROTTLED:
                hit.error = self.throttling(place)
            case Kind.PART_ERROR_BEFORE:
                hit.error = self.error()
            case Kind.PART_MISSING_AFTER:
                hit.missing = True
            case Kind.PART_ERROR_AFTER:
                return Inner(error_after=self.error())
            case Kind.PART_MISSING_BEFORE:
                return Inner(missing_before=True)
            case Kind.PART_DELAYED:
                return Inner(delayed_seconds=self.delay(), error_after=self.error())
        return None

    def _begrudged(self, place: str) -> bool:
        return self.grudge is not None and self.grudge.strikes(place)

    def _chance(self, probability: float) -> bool:
        return probability > 0 and self.rng.random() < probability

    def count(self, kind: Kind, place: str) -> None:
        """Note that a fault happened, and where."""
        self.struck[str(kind)] += 1
        self.sites.strike(place, str(kind))

    def _drawn(self, fault: Outer, place: str) -> Outer:
        if isinstance(fault.value, Kind):
            self.count(fault.value, place)
        return fault

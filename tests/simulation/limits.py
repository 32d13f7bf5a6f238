"""What Graph allows one app in one mailbox, checked whenever a request of ours leaves."""

import asyncio

from tests.simulation.fleet import Fleet
from tests.simulation.graph_world import GraphWorld, Request

# A batch is given up after 30 s; a little less, since instants are floats.
_BATCH_SECONDS = 29.9
_BATCH_PARTS = 20


class Limits:
    """Four requests at a time, one batch of writes, none before the time that was told."""

    def __init__(self, graph: GraphWorld, fleet: Fleet, problems: list[str]) -> None:
        self._graph = graph
        self._fleet = fleet
        self._problems = problems
        #: Where a clock jumps by minutes, two processes may hold the lease for a moment.
        self.clocks_jumped = False

    def watch(self, request: Request) -> None:
        """A request leaves: are we within what Graph allows?"""
        host = next(host for host in self._fleet.everyone if host.name == request.host)
        told = host.told.get(request.mailbox)
        # A clock that is set back does not close a mailbox again.
        if told is not None and host.clock.now() < told[0] and asyncio.get_running_loop().time() < told[1]:
            wait = (told[0] - host.clock.now()).total_seconds()
            self._problems.append(f"{host.name} sent a request {wait:.3f} s before it was allowed to")
        slots = request.slots + sum(r.slots for r in self._graph.in_flight if r.host == request.host)
        if request.parts > _BATCH_PARTS:
            self._problems.append(f"{host.name} sent a batch of {request.parts} requests")
        if slots > 4:
            self._problems.append(f"{host.name} has {slots} requests in flight to one mailbox")
        if request.writes and not self.clocks_jumped:
            self._one_batch(request)

    def _one_batch(self, request: Request) -> None:
        # A batch that was cancelled, or whose process died, counts for as long as its time would have run.
        now = asyncio.get_running_loop().time()
        for other in (*self._graph.in_flight, *self._graph.abandoned):
            if other.writes and now - other.started < _BATCH_SECONDS:
                self._problems.append(
                    f"{request.host} sent a batch of writes while {other.host} has one in flight"
                )

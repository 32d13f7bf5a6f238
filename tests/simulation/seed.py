"""One seed: a world in which nothing depends on anything but its number."""

import asyncio
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from infra.local.graph_simulator import ids
from infra.local.graph_simulator.model import Stamp
from shared.database.models.metadata import METADATA
from shared.settings import Settings
from tests.simulation.backends import Backends
from tests.simulation.host import EPOCH
from tests.simulation.judging import Verdict
from tests.simulation.postgres_wire import PostgresWire
from tests.simulation.prober import Prober, Stalled
from tests.simulation.virtual_loop import VirtualLoop
from tests.simulation.world import World


def run_seed(seed: int, settings: Settings, prober: Prober, backends: Backends) -> Verdict:
    """Simulate one world on an empty database."""
    verdict = Verdict(seed)
    prober.empty([table.name for table in METADATA.sorted_tables])
    wire = PostgresWire(prober, backends)
    loop = VirtualLoop(wire)
    try:
        with _determined(seed, loop):
            world = World(seed, settings, loop, wire, verdict)
            loop.set_exception_handler(world.complain)
            loop.run_until_complete(world.live())
            _end(loop)
    except Stalled as stalled:
        verdict.problems.append(f"stalled: {stalled}")
    except Exception as error:
        _abandon(loop)
        import traceback

        verdict.problems.append("".join(traceback.format_exception(error)))
    finally:
        wire.close()
        loop.close()
    return verdict


def _end(loop: VirtualLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())


def _abandon(loop: VirtualLoop) -> None:
    """End what is still running after the world broke; what it says of itself then is no finding."""
    loop.set_exception_handler(lambda _, __: None)
    with suppress(Exception):
        _end(loop)


@contextmanager
def _determined(seed: int, loop: VirtualLoop) -> Iterator[None]:
    """Whatever is random or asks for the time gets it from the seed and the loop."""
    random.seed(seed)
    source = random.Random(f"ids {seed}")
    kept = os.urandom, time.time, ids.random_bytes, Stamp.__post_init__
    os.urandom = source.randbytes
    time.time = lambda: EPOCH.timestamp() + loop.time()
    ids.random_bytes = random.Random(f"graph {seed}").randbytes

    def stamped(stamp: Stamp) -> None:
        kept[3](stamp)
        # Its default is the function itself, out of reach.
        stamp.created_at = time.time()

    Stamp.__post_init__ = stamped  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        os.urandom, time.time, ids.random_bytes, Stamp.__post_init__ = kept  # type: ignore[method-assign]

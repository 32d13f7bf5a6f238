"""One seed: a world in which nothing depends on anything but its number."""

import asyncio
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from shared.database.models.metadata import METADATA
from shared.settings import Settings
from tests.simulation.backends import Backends
from tests.simulation.determined import determined
from tests.simulation.judging import Verdict
from tests.simulation.postgres_wire import PostgresWire
from tests.simulation.prober import Prober, Stalled
from tests.simulation.trace import Trace
from tests.simulation.virtual_loop import VirtualLoop
from tests.simulation.world import World


def run_seed(
    seed: int, settings: Settings, prober: Prober, backends: Backends, traces: Path | None = None
) -> Verdict:
    """Simulate one world on an empty database; ``traces`` is a folder for every step of it."""
    verdict = Verdict(seed)
    backends.forget_plans()
    prober.empty([table.name for table in METADATA.sorted_tables])
    wire = PostgresWire(prober, backends)
    wire.trace = Trace(None if traces is None else traces / f"{seed}.txt")
    loop = VirtualLoop(wire)
    wire.trace.now = loop.time
    try:
        with determined(seed, loop):
            world = World(seed, settings, loop, wire, verdict)
            loop.set_exception_handler(lambda _, context: _complain(verdict, context))
            loop.run_until_complete(world.live())
            verdict.trace = wire.trace.end()
            _end(loop)
    except Stalled as stalled:
        verdict.problems.append(f"stalled: {stalled}")
    except Exception as error:
        verdict.problems.append("".join(traceback.format_exception(error)))
        _abandon(loop)
    finally:
        verdict.trace = verdict.trace or wire.trace.end()
        wire.close()
        loop.close()
    return verdict


def _complain(verdict: Verdict, context: dict[str, Any]) -> None:
    """An exception nobody looked at."""
    error = context.get("exception")
    if not isinstance(error, asyncio.CancelledError):
        verdict.problems.append(f"unhandled: {context.get('message')} {error!r} {context.get('future')!r}")


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

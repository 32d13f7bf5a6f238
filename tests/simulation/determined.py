"""Whatever is random or asks for the time gets it from the seed and the loop, while one seed runs.

What else could make two runs of a seed differ, and where that is kept out:

set order
    ``PYTHONHASHSEED=0`` (``__main__``). What hashes by its address has an order of its own in each process:
    asyncpg's set of statements to close, each of which is a call, is sorted.
PostgreSQL's ``gen_random_uuid()`` and ``now()``
    functions of the world's own before the built-in ones (``server_clock``).
plans and row order
    tables are truncated and kept plans dropped before a seed (``Prober.empty``, ``Backends.forget_plans``).
time-outs of the server, which are real time
    switched off (``backends.timeless``): a call that waits for a lock waits until nothing else can run.
garbage
    collected between seeds alone (``workers``).
asyncpg's numbers of statements, which count through the process
    the trace names statements by their text (``WireTransport.told``).
"""

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg

from infra.local.graph_simulator.values import ids
from tests.simulation.epoch import EPOCH
from tests.simulation.virtual_loop import VirtualLoop

_system_random: Any = random


@contextmanager
def determined(seed: int, loop: VirtualLoop) -> Iterator[None]:
    """Inside, random bytes and both clocks of the process are the seed's and the loop's."""
    random.seed(seed)
    source = random.Random(f"ids {seed}")
    kept = os.urandom, _system_random._urandom, time.time, time.monotonic, ids.random_bytes
    connections: Any = asyncpg.Connection
    clean_up = connections._cleanup_stmts
    # ``secrets`` and SystemRandom have the function by another name.
    os.urandom = _system_random._urandom = source.randbytes
    time.time = lambda: EPOCH.timestamp() + loop.time()
    time.monotonic = loop.time
    ids.random_bytes = random.Random(f"graph {seed}").randbytes

    async def clean_up_in_order(connection: Any) -> None:
        # Names are numbers in hexadecimal, without leading zeros.
        waiting = sorted(
            connection._stmts_to_close, key=lambda statement: (len(statement.name), statement.name)
        )
        connection._stmts_to_close = dict.fromkeys(waiting)
        await clean_up(connection)

    connections._cleanup_stmts = clean_up_in_order
    try:
        yield
    finally:
        connections._cleanup_stmts = clean_up
        os.urandom, _system_random._urandom, time.time, time.monotonic, ids.random_bytes = kept

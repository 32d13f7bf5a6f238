"""Everything random, and every clock, gets its value from the seed and the loop while one seed runs.

What else could make two runs of a seed differ, and how it is prevented:

- Set order: ``PYTHONHASHSEED=0`` (``__main__``). Objects that hash by address have another order in each
  process. So asyncpg's set of statements to close, each of which is a call, is sorted.
- PostgreSQL's ``gen_random_uuid()`` and ``now()``: functions of the world's own, found before the built-in
  ones (``server_clock``).
- Plans and row order: tables are truncated and cached plans dropped before a seed (``Prober.empty``,
  ``Backends.forget_plans``).
- Timeouts of the server, which are real time: switched off (``backends.timeless``). A call that waits for a
  lock waits until nothing else can run.
- Garbage: collected only between seeds (``workers``).
- Statement numbers of asyncpg, which count through the process: the trace names statements by their text
  (``WireTransport.told``).
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

"""Simulating many seeds one after another: a process with a PostgreSQL of its own, emptied before each."""

import asyncio
import atexit
import gc
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.database.connection_url import connect_arguments
from shared.settings import Settings
from tests.simulation.backends import Backends
from tests.simulation.judging import Verdict
from tests.simulation.prober import Prober
from tests.simulation.seed import run_seed
from tests.simulation.warm_database import known_types
from tests.simulation.without import switched_off
from tests.support.postgres import shared_server
from tests.support.settings import make_settings

# A seed of nobody: what is imported and drawn once in a process must not be drawn in a world that counts.
_WARMING_UP = -1
_MEMORY = Path("/dev/shm")
# Seeds between two collections of garbage: one takes as long as a tenth of a seed.
_COLLECT_EVERY = 10


class Worker:
    """One process's server, database and connections."""

    def __init__(self, settings: Settings, path: str, database: str) -> None:
        self._settings = settings
        #: A folder for the steps of every world, if they are wanted.
        self.traces: Path | None = None
        self._prober = Prober(path, database)
        self._prober.prepare()
        self._backends = Backends(path)

    def simulate(self, seeds: Iterable[int]) -> Iterator[Verdict]:
        """What became of each seed, in order."""
        for number, seed in enumerate(seeds, 1):
            yield run_seed(seed, self._settings, self._prober, self._backends, self.traces)
            if number % _COLLECT_EVERY == 0:
                gc.collect()

    def close(self) -> None:
        """Give the connections up."""
        self._backends.close()
        self._prober.close()


@contextmanager
def make_worker(traces: Path | None = None, without: str | None = None) -> Iterator[Worker]:
    """A worker for this process; ``traces``: a folder for the steps of every world, ``without``: no rule."""
    logging.disable(logging.CRITICAL)
    # It is restarted in the middle, so it has to be ours; in memory where there is a folder in memory.
    os.environ.pop("DATABASE_URL", None)
    if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK):
        os.environ["TMPDIR"] = str(_MEMORY)
    with (
        TemporaryDirectory(prefix="aa-simulation-") as folder,
        shared_server(Path(folder)) as server,
        known_types() as known,
        switched_off(without),
    ):
        database = asyncio.run(server.clone("simulation"))
        settings = make_settings(database_url=database.user, migration_database_url=database.owner)
        target = connect_arguments(settings, settings.database_url.get_secret_value(), "simulation")
        path = f"{target['host']}/.s.PGSQL.{target.get('port') or 5432}"
        worker = Worker(settings, path, database.name)
        # What is loaded stays. Garbage is collected only between the seeds. Otherwise asyncpg would close the
        # statements in it at a moment that changes what a seed means.
        list(worker.simulate([_WARMING_UP]))
        known.learning = False
        gc.freeze()
        gc.disable()
        worker.traces = traces
        try:
            yield worker
        finally:
            worker.close()


class _Process:
    """This process as one of several."""

    worker: Worker | None = None


def begin(traces: Path | None) -> None:
    """Make this process a worker until it ends."""
    stack = ExitStack()
    _Process.worker = stack.enter_context(make_worker(traces))
    # Before the temporary folder is removed by its own exit function.
    atexit.register(stack.close)


def simulate_part(seeds: range) -> list[Verdict]:
    """The verdicts of a part of the seeds, in a process that began as a worker."""
    assert _Process.worker is not None
    return list(_Process.worker.simulate(seeds))

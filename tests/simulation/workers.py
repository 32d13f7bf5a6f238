"""Simulating many seeds one after another, in this process or in one of several."""

import asyncio
import gc
import logging
from collections.abc import Iterable, Iterator

from shared.database.connection_url import connect_arguments
from tests.simulation.seed import run_seed
from tests.simulation.world import Verdict
from tests.support.postgres import TestServer
from tests.support.settings import make_settings


def simulate_all(part: tuple[TestServer, range]) -> list[Verdict]:
    """The verdicts of a part of the seeds."""
    return list(simulate(*part))


def simulate(server: TestServer, seeds: Iterable[int]) -> Iterator[Verdict]:
    """Simulate seeds on a database of their own, which is emptied before each."""
    logging.disable(logging.CRITICAL)
    database = asyncio.run(server.clone("simulation"))
    # What is loaded stays: looking through it again and again takes a fifth of the time.
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    try:
        settings = make_settings(database_url=database.user, migration_database_url=database.owner)
        target = connect_arguments(settings, settings.database_url.get_secret_value(), "simulation")
        path = f"{target['host']}/.s.PGSQL.{target.get('port') or 5432}"
        for seed in seeds:
            yield run_seed(seed, settings, path, database.name)
    finally:
        asyncio.run(server.drop(database.name))

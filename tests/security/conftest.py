"""The app on the simulator, as for the tests of the API."""

from tests.integration.api.conftest import api, people, simulator, stranger
from tests.integration.conftest import (
    _pool,
    database,
    postgres_server,
    settings,
    worker_database,
)
from tests.security.authorisation_world import world

__all__ = [
    "_pool",
    "api",
    "database",
    "people",
    "postgres_server",
    "settings",
    "simulator",
    "stranger",
    "worker_database",
    "world",
]

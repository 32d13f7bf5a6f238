"""Which database failures are temporary, and the error for the caller."""

from typing import Final

import asyncpg

from shared.errors import Unavailable

RETRY_AFTER_SECONDS = 5.0
BROKEN: Final = "The connection to the database broke."
_BUSY_RETRY_AFTER_SECONDS = 1.0
_LOCK_TIMEOUT = "55P03"
#: SQLSTATE → its meaning for the caller. The transaction was rolled back in every case.
_PASSING = {
    "40001": "The database could not serialise the change; repeat it.",
    "40P01": "The database broke a deadlock; repeat the change.",
    "57014": "The database took too long.",
    "25P03": "The transaction was idle for too long.",
}
_PASSING_CLASSES = {
    "08": BROKEN,
    "53": "The database is out of resources.",
    "57": "The database is shutting down or starting.",
}
UPGRADED: Final = "The database was being upgraded; repeat the change."


class LockTimeout(Unavailable):
    """Another transaction held the rows for too long."""


def connection_failure(error: BaseException) -> Unavailable:
    """No connection could be made. The reason is in the chained error, and not visible to the caller."""
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError | asyncpg.InvalidCatalogNameError):
        return Unavailable("The database refuses this app's account.", retry_after=RETRY_AFTER_SECONDS)
    return Unavailable("The database cannot be reached.", retry_after=RETRY_AFTER_SECONDS)


def pool_exhausted(error: Exception, waited: float) -> Unavailable:
    """Every connection of the pool was in use for ``waited`` seconds."""
    return Unavailable("All database connections are in use.", retry_after=max(1.0, waited))


def driver_failure(error: asyncpg.PostgresError | asyncpg.InterfaceError | OSError) -> Unavailable | None:
    """An error of asyncpg as :class:`Unavailable` if a retry may help, else None."""
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return passing("", UPGRADED)
    if isinstance(error, asyncpg.PostgresError):
        return passing(str(error.sqlstate or ""), None)
    return connection_failure(error) if isinstance(error, OSError) else passing("", BROKEN)


def passing(state: str, otherwise: str | None) -> Unavailable | None:
    """The meaning of a SQLSTATE for the caller. ``otherwise`` if it has none."""
    if state == _LOCK_TIMEOUT:
        return LockTimeout(
            "Another change holds the rows; repeat it in a moment.", retry_after=_BUSY_RETRY_AFTER_SECONDS
        )
    detail = _PASSING.get(state) or _PASSING_CLASSES.get(state[:2]) or otherwise
    if detail is None:
        return None
    busy = state in _PASSING
    return Unavailable(detail, retry_after=_BUSY_RETRY_AFTER_SECONDS if busy else RETRY_AFTER_SECONDS)

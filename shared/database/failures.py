"""Which database failures are temporary, and the error for the caller."""

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.errors import Unavailable

RETRY_AFTER_SECONDS = 5.0
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
    "08": "The connection to the database broke.",
    "53": "The database is out of resources.",
    "57": "The database is shutting down or starting.",
}
_UPGRADED = "The database was being upgraded; repeat the change."


class LockTimeout(Unavailable):
    """Another transaction held the rows for too long."""


def connection_failure(error: BaseException) -> Unavailable:
    """No connection could be made. The reason is in the chained error, and not visible to the caller."""
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError | asyncpg.InvalidCatalogNameError):
        return Unavailable("The database refuses this app's account.", retry_after=RETRY_AFTER_SECONDS)
    return Unavailable("The database cannot be reached.", retry_after=RETRY_AFTER_SECONDS)


def pool_exhausted(error: PoolTimeout | TimeoutError, waited: float) -> Unavailable:
    """Every connection of the pool was in use for ``waited`` seconds."""
    return Unavailable("All database connections are in use.", retry_after=max(1.0, waited))


def passing_failure(error: DBAPIError) -> Unavailable | None:
    """The failure as :class:`Unavailable` if a retry may help, else None."""
    detail = _PASSING_CLASSES["08"] if error.connection_invalidated else None
    if isinstance(error.orig, AsyncAdapt_asyncpg_dbapi.InvalidCachedStatementError):
        # A migration changed a table under a prepared statement. SQLAlchemy has discarded them all now.
        detail = _UPGRADED
    return _passing(str(getattr(error.orig, "sqlstate", None) or ""), detail)


def driver_failure(error: asyncpg.PostgresError | asyncpg.InterfaceError | OSError) -> Unavailable | None:
    """As :func:`passing_failure`, for errors that asyncpg itself raises."""
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return _passing("", _UPGRADED)
    if isinstance(error, asyncpg.PostgresError):
        return _passing(str(error.sqlstate or ""), None)
    return connection_failure(error) if isinstance(error, OSError) else _passing("", _PASSING_CLASSES["08"])


def _passing(state: str, otherwise: str | None) -> Unavailable | None:
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

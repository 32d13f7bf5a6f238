"""Failures that SQLAlchemy reports, as errors of the product (see ``failures`` for those of the driver)."""

from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.database import failures
from shared.database.constraint_errors import constraint_error
from shared.errors import AdminAssistantError, Unavailable


def session_failure(error: PoolTimeout | DBAPIError, patience: float) -> AdminAssistantError | None:
    """The failure as an error of the product. None if it is a defect.

    ``patience`` is how many seconds a connection of the pool was waited for.
    """
    if isinstance(error, PoolTimeout):
        return failures.pool_exhausted(error, patience)
    if isinstance(error, IntegrityError):
        return constraint_error(error)
    return _passing(error)


def _passing(error: DBAPIError) -> Unavailable | None:
    detail = failures.BROKEN if error.connection_invalidated else None
    if isinstance(error.orig, AsyncAdapt_asyncpg_dbapi.InvalidCachedStatementError):
        # A migration changed a table, so a prepared statement is stale. SQLAlchemy has cleared its cache.
        detail = failures.UPGRADED
    return failures.passing(str(getattr(error.orig, "sqlstate", None) or ""), detail)

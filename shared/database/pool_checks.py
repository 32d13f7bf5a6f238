"""Whether a connection of the pool is still good when it is lent, asked of the server only after a rest."""

import time
from typing import Any, Final

from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.util import await_only

#: A connection used this recently is only asked whether its socket was closed: a ping is a round trip.
RESTED_SECONDS: Final = 2.0
#: So long a server may take to answer a ping. One that is frozen never does, and a caller waits for it.
PING_SECONDS: Final = 2.0
_RETURNED: Final = "admin_assistant.returned_at"


def check_connections(engine: Engine) -> None:
    """Replace broken connections as they are lent, in place of ``pool_pre_ping`` on every loan.

    A server that ended says so at the socket, which costs nothing to look at; what dies in silence (a load
    balancer forgetting an idle connection) is found by a ping after :data:`RESTED_SECONDS`.
    """

    def returned(_: Any, record: Any) -> None:
        record.info[_RETURNED] = time.monotonic()

    def lent(connection: Any, record: Any, _: Any) -> None:
        since = record.info.get(_RETURNED)
        if since is None:
            return
        driver = connection.driver_connection
        if driver.is_closed():
            raise InvalidatePoolError
        if time.monotonic() - since >= RESTED_SECONDS:
            try:
                # The simple protocol, outside of a transaction: SQLAlchemy's own ping is three round trips.
                await_only(driver.execute(";", timeout=PING_SECONDS))
            except Exception as error:
                # At once: a farewell would wait for the server again.
                driver.terminate()
                raise InvalidatePoolError from error

    event.listen(engine, "checkin", returned)
    event.listen(engine, "checkout", lent)

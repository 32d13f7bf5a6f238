"""Whether a connection of the pool is still good when it is lent, asked of the server only after a rest."""

import time
from typing import Any, Final

from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

from shared.database.lending import RESTED_SECONDS

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
        if connection.driver_connection.is_closed():
            raise InvalidatePoolError
        if time.monotonic() - since >= RESTED_SECONDS:
            try:
                engine.dialect.do_ping(connection)
            except Exception as error:
                raise InvalidatePoolError from error

    event.listen(engine, "checkin", returned)
    event.listen(engine, "checkout", lent)

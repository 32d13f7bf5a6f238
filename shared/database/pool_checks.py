"""Checks whether a connection of the pool is still good. Only a rested one costs a question to the server."""

import time
from typing import Any, Final

from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.util import await_only

from shared.database.connection_sources import PING, PING_SECONDS, RESTED_SECONDS

_RETURNED: Final = "admin_assistant.returned_at"


def check_connections(engine: Engine) -> None:
    """Replace broken connections on checkout, instead of ``pool_pre_ping`` on every checkout.

    A server that ended closed the socket, which is free to check. A silently dropped connection (an idle one
    at a load balancer) is found by a ping after :data:`RESTED_SECONDS`.
    """

    def returned(_: Any, record: Any) -> None:
        record.info[_RETURNED] = time.monotonic()

    def borrowed(connection: Any, record: Any, _: Any) -> None:
        since = record.info.get(_RETURNED)
        if since is None:
            return
        driver = connection.driver_connection
        if driver.is_closed():
            raise InvalidatePoolError
        if time.monotonic() - since >= RESTED_SECONDS:
            try:
                await_only(driver.execute(PING, timeout=PING_SECONDS))
            except Exception as error:
                # At once: a farewell would wait for the server again.
                driver.terminate()
                raise InvalidatePoolError from error

    event.listen(engine, "checkin", returned)
    event.listen(engine, "checkout", borrowed)

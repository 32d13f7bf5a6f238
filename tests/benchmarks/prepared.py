"""What prepared statements, borrowed connections and the own list are worth, each against the plain way."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.util import greenlet_spawn

from infra.local.postgres import USER
from shared.database.engine import Database
from shared.database.models.users import User
from shared.database.prepared import PreparedRead, PreparedWrite
from shared.database.repositories.appointments.own_appointments import ONE
from shared.domain.identity.caller import Caller
from shared.domain.identity.roles import Role
from shared.schemas.appointments import AppointmentListQuery
from shared.services.appointments.general_reading import GeneralReading
from shared.services.appointments.reading import AppointmentService
from shared.settings import Settings
from tests.benchmarks.ways import new_database
from tests.support.factories import START, Factory

_ROUNDS: Final = 7
_AT_ONCE: Final = 32
_READS: Final = 640
_APPOINTMENTS: Final = 50
_SQL: Final = "SELECT id, display_name FROM users WHERE tenant_id = :tenant AND object_id = :person"

type Work = Callable[[], Awaitable[object]]


async def measure() -> list[dict[str, Any]]:
    """How many times as long the plain way takes: the median of several rounds, both ways in each."""
    async with new_database() as postgres:
        settings = Settings(database_url=postgres.url(USER))  # type: ignore[arg-type]
        database = Database(settings)
        try:
            async with database.session() as session:
                make = Factory(session)
                user = await make.user()
                configuration = await make.configuration(user)
                for number in range(_APPOINTMENTS):
                    began = START + timedelta(hours=number)
                    await make.appointment(
                        await make.archived_event(configuration),
                        start_at=began,
                        end_at=began + timedelta(minutes=50),
                    )
                await session.execute(text("ANALYZE"))
            return await _compared(database, settings, user)
        finally:
            await database.close()


async def _compared(database: Database, settings: Settings, user: User) -> list[dict[str, Any]]:
    parameters = {"tenant": user.tenant_id, "object": user.object_id, "id": user.id}
    person = {"tenant": user.tenant_id, "person": user.object_id}
    write = PreparedWrite(_SQL)

    async def session_read() -> object:
        async with database.reading() as session:
            return (await session.execute(text(ONE.sql), parameters)).mappings().all()

    async def pooled_read() -> object:
        return await _pooled(database, ONE, parameters)

    async def session_statement() -> object:
        async with database.session() as session:
            return [(await session.execute(text(_SQL), person)).all() for _ in range(20)]

    async def prepared_statement() -> object:
        async with database.session() as session:
            return [await write.rows(session, person) for _ in range(20)]

    general = GeneralReading(database, lambda: None)  # type: ignore[arg-type,return-value]
    service = AppointmentService(database, settings, lambda: general)
    query = AppointmentListQuery(
        window_start=START, window_end=START + timedelta(days=30), limit=_APPOINTMENTS, user_id=user.id
    )
    own = Caller.user(user.tenant_id, user.object_id)
    admin = Caller.user(user.tenant_id, user.object_id, [Role.USER, Role.ADMIN])
    rows = [
        ("prepared read", lambda: database.fetch(ONE, parameters), session_read, _READS),
        ("lent connection", lambda: database.fetch(ONE, parameters), pooled_read, _READS),
        ("prepared statement", prepared_statement, session_statement, _READS // 8),
        ("own list", lambda: service.list(own, query), lambda: service.list(admin, query), _READS // 4),
    ]
    return [await _row(name, ours, plain, times) for name, ours, plain, times in rows]


async def _pooled(database: Database, read: PreparedRead, parameters: dict[str, Any]) -> object:
    """The driver's read on a connection that goes back to the pool after it."""
    pooled = await database.engine.raw_connection()
    try:
        return await read.rows(pooled.driver_connection, parameters)
    finally:
        await greenlet_spawn(pooled.close)


async def _row(name: str, ours: Work, plain: Work, times: int) -> dict[str, Any]:
    found = [(await _spent(ours, times), await _spent(plain, times)) for _ in range(_ROUNDS)]

    def ratio(which: int) -> float:
        return round(statistics.median(theirs[which] / own[which] for own, theirs in found), 2)

    return {
        "what": name,
        "at_once": _AT_ONCE,
        "ours_us": round(statistics.median(own[0] for own, _ in found) / times * 1e6),
        "plain_us": round(statistics.median(theirs[0] for _, theirs in found) / times * 1e6),
        "plain_over_ours": ratio(0),
        "plain_over_ours_cpu": ratio(1),
    }


async def _spent(work: Work, times: int) -> tuple[float, float]:
    """Seconds, and seconds of this process' CPU, for this many repetitions."""

    async def lane() -> None:
        for _ in range(times // _AT_ONCE or 1):
            await work()

    await work()
    began, busy = time.perf_counter(), time.process_time()
    await asyncio.gather(*(lane() for _ in range(_AT_ONCE)))
    return time.perf_counter() - began, time.process_time() - busy

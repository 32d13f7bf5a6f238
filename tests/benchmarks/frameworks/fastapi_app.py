"""FastAPI on uvicorn with asynchronous SQLAlchemy: ``python -m … PORT DATABASE_URL POOL_SIZE``."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from uuid import UUID

import uvicorn
from fastapi import FastAPI, Header
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from shared.schemas.appointments import AppointmentResource, AppointmentSummary
from shared.settings import normalise_database_url
from tests.benchmarks.frameworks import query

_PORT, _URL, _POOL = int(sys.argv[1]), normalise_database_url(sys.argv[2]), int(sys.argv[3])
_engine = create_async_engine(_URL, pool_size=_POOL, max_overflow=0, pool_timeout=60)
_Caller = Annotated[str, Header(alias=query.CALLER)]


class Summaries(BaseModel):
    """One page."""

    items: list[AppointmentSummary]
    next: str | None


@asynccontextmanager
async def _closing(_: FastAPI) -> AsyncIterator[None]:
    yield
    await _engine.dispose()


app = FastAPI(lifespan=_closing)


@app.get("/appointments")
async def list_appointments(caller: _Caller) -> Summaries:
    """The first page of the month."""
    async with AsyncSession(_engine, expire_on_commit=False) as session:
        user = (await session.scalars(query.caller(caller))).one()
        rows = (await session.scalars(query.page(user.id))).all()
    more = str(rows[-1].id) if len(rows) > query.PAGE else None
    return Summaries(items=[query.summary(row) for row in rows[: query.PAGE]], next=more)


@app.get("/appointments/{appointment_id}")
async def get_appointment(caller: _Caller, appointment_id: UUID) -> AppointmentResource:
    """One appointment."""
    async with AsyncSession(_engine, expire_on_commit=False) as session:
        user = (await session.scalars(query.caller(caller))).one()
        row = (await session.scalars(query.one(user.id, appointment_id))).one()
    return query.resource(row)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=_PORT, log_level="warning", access_log=False)

"""One read with the driver alone: no token, no models, no SQLAlchemy. What a query costs in this host."""

import asyncio
import os
from typing import Any

import asyncpg
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
_pool: "asyncio.Task[Any] | None" = None


async def _connected() -> Any:
    global _pool
    if _pool is None:
        size = int(os.environ["BENCH_POOL"])
        _pool = asyncio.ensure_future(asyncpg.create_pool(os.environ["BENCH_DATABASE"], max_size=size))
    return await _pool


@app.route(route="appointments/{id}", methods=["GET"])
async def get_appointment(req: func.HttpRequest) -> func.HttpResponse:
    """One appointment as JSON, made by the server."""
    pool = await _connected()
    found = await pool.fetchval(
        "SELECT row_to_json(a)::text FROM appointments a WHERE id = $1::text::uuid", req.route_params["id"]
    )
    return func.HttpResponse(found, mimetype="application/json")


@app.route(route="appointments", methods=["GET"])
async def list_appointments(req: func.HttpRequest) -> func.HttpResponse:
    """The first page of a month as JSON, made by the server."""
    pool = await _connected()
    found = await pool.fetchval(
        "SELECT coalesce(json_agg(page), '[]')::text FROM (SELECT a.id, subject, start_at, end_at, categories"
        " FROM appointments a JOIN users u ON u.id = a.owner_id WHERE u.object_id = $1::text::uuid"
        " ORDER BY start_at, a.id LIMIT 25) AS page",
        req.headers["x-caller"],
    )
    return func.HttpResponse(found, mimetype="application/json")

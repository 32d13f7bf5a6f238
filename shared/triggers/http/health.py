"""Probes: whether the process answers, and whether it can serve."""

from __future__ import annotations

from shared.schemas import health
from shared.triggers.http.endpoint import Endpoints, Reply, Request
from shared.triggers.http.registry import PUBLIC

endpoints = Endpoints()


@endpoints.get("health/live", summary="Tell that the process answers", access=PUBLIC)
async def health_live(request: Request) -> Reply[health.Live]:
    """For liveness probes. It checks no dependency."""
    return Reply(request.app.operation.health.live())


@endpoints.get("health/ready", summary="Tell whether requests can be served", access=PUBLIC, errors=(503,))
async def health_ready(request: Request) -> Reply[health.Ready]:
    """For readiness probes: database, schema revision and token service. 503 while one of them fails."""
    ready = await request.app.operation.health.ready()
    return Reply(ready) if ready.status == "ready" else Reply(ready, status=503, retry_after=5)

"""Probes: whether the process answers, and whether it can serve."""

from __future__ import annotations

from shared.schemas import base, health
from shared.triggers.http.endpoint import Reply, Request, endpoint, new_blueprint
from shared.triggers.http.registry import Ownership

blueprint = new_blueprint()


@endpoint(
    blueprint,
    "GET",
    "health/live",
    summary="Tell that the process answers",
    roles=None,
    ownership=Ownership.PUBLIC,
)
async def health_live(request: Request[base.NoBody, base.NoQuery]) -> Reply[health.Live]:
    """For liveness probes. It checks no dependency."""
    return Reply(request.app.operation.health.live())


@endpoint(
    blueprint,
    "GET",
    "health/ready",
    summary="Tell whether requests can be served",
    roles=None,
    ownership=Ownership.PUBLIC,
    errors=(503,),
)
async def health_ready(request: Request[base.NoBody, base.NoQuery]) -> Reply[health.Ready]:
    """For readiness probes: database, schema revision and token service. 503 while one of them fails."""
    ready = await request.app.operation.health.ready()
    return Reply(ready) if ready.status == "ready" else Reply(ready, status=503, retry_after=5)

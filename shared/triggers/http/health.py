"""Probes: whether the process answers, and whether it can serve."""

from shared.schemas.base import NoBody, NoQuery
from shared.schemas.health import Live, Ready
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
    response=Live,
)
async def health_live(request: Request[NoBody, NoQuery]) -> Reply[Live]:
    """For liveness probes: no dependency is asked."""
    return Reply(request.app.health.live())


@endpoint(
    blueprint,
    "GET",
    "health/ready",
    summary="Tell whether requests can be served",
    roles=None,
    ownership=Ownership.PUBLIC,
    response=Ready,
    errors=(503,),
)
async def health_ready(request: Request[NoBody, NoQuery]) -> Reply[Ready]:
    """For readiness probes: database, schema revision and token service; 503 while one of them fails."""
    ready = await request.app.health.ready()
    return Reply(ready) if ready.status == "ready" else Reply(ready, status=503, retry_after=5)

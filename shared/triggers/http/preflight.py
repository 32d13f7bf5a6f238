"""OPTIONS for every path: which methods it has, and for browsers what pages of other origins may send."""

from shared.errors import NotFound
from shared.schemas.base import NoBody, NoQuery
from shared.triggers.http.endpoint import Reply, Request, endpoint, new_blueprint
from shared.triggers.http.exchange import preflight_headers
from shared.triggers.http.registry import Ownership, methods_of

blueprint = new_blueprint()


@endpoint(
    blueprint,
    "OPTIONS",
    "{*path}",
    summary="Tell the methods of a path",
    roles=None,
    ownership=Ownership.PUBLIC,
    response=type(None),
    status=204,
    errors=(404,),
)
async def preflight(request: Request[NoBody, NoQuery]) -> Reply[None]:
    """Whether the asking origin may read the answer is decided by the CORS headers of every answer."""
    methods = methods_of(request.relative_path)
    if not methods:
        raise NotFound("nothing is at this path")
    return Reply(None, headers=preflight_headers(methods))

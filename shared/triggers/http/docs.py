"""The description of the API for machines and for people; nothing of it comes from elsewhere."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from shared.errors import NotFound
from shared.schemas import base
from shared.triggers.http.endpoint import Reply, Request, endpoint, new_blueprint
from shared.triggers.http.registry import OPERATIONS, PREFIX, Ownership

if TYPE_CHECKING:
    from shared.settings import Settings

blueprint = new_blueprint()

#: Carries Swagger UI's files. Its Python code, and Flask, which that needs, are never imported.
_PACKAGE: Final = "flask-swagger-ui"
_FOLDER: Final = "flask_swagger_ui/dist"
_FILES: Final = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "oauth2-redirect.html": "text/html; charset=utf-8",
    "oauth2-redirect.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Admin Assistant API</title>
<link rel="icon" type="image/png" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START: Final = """"use strict";
const ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  oauth2RedirectUrl: new URL("docs/oauth2-redirect.html", location.href).href,
});
ui.initOAuth(SIGN_IN);
"""


@endpoint(
    blueprint,
    "GET",
    "openapi.json",
    summary="Describe the API (OpenAPI 3.1)",
    roles=None,
    ownership=Ownership.PUBLIC,
)
async def openapi_document(request: Request[base.NoBody, base.NoQuery]) -> Reply[None]:
    """Built from what the operations declare."""
    return Reply(None, content=described(request.app.settings))


@endpoint(
    blueprint,
    "GET",
    "docs",
    summary="Show the description of the API (Swagger UI)",
    roles=None,
    ownership=Ownership.PUBLIC,
    media_type="text/html",
)
async def docs_page(request: Request[base.NoBody, base.NoQuery]) -> Reply[None]:
    """Works without any other site."""
    return Reply(None, headers=_policy(request.app.settings), content=_PAGE.encode())


@endpoint(
    blueprint,
    "GET",
    # Not a catch-all, which would take "docs", too.
    "docs/{file:maxlength(40)}",
    summary="A file of the page that shows the description",
    roles=None,
    ownership=Ownership.PUBLIC,
    errors=(404,),
)
async def docs_file(request: Request[base.NoBody, base.NoQuery]) -> Reply[None]:
    """Swagger UI's files by name, and the script that starts it."""
    name = request.relative_path.removeprefix("docs/")
    settings = request.app.settings
    if name == "start.js":
        return Reply(None, headers={"Content-Type": "text/javascript"}, content=_start(settings))
    if name not in _FILES:
        raise NotFound("nothing is at this path")
    headers = {"Content-Type": _FILES[name], "Cache-Control": "public, max-age=86400"}
    return Reply(None, headers=headers | _policy(settings), content=_file(name))


@lru_cache(maxsize=4)
def described(settings: Settings) -> bytes:
    """The OpenAPI document as JSON."""
    import orjson

    # Only here: nobody else needs it, and it would slow down every start.
    from shared.triggers.http.described_texts import without_citations
    from shared.triggers.http.openapi import Description

    document = Description(OPERATIONS.values(), settings).document()
    return orjson.dumps(without_citations(document))


def _policy(settings: Settings) -> dict[str, str]:
    """What the page may load: our own files, and the token service to sign in."""
    sources = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data:",
        "connect-src": f"'self' {settings.authority}",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return {"Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in sources.items())}


def _start(settings: Settings) -> bytes:
    from shared.triggers.http.openapi import user_scope

    sign_in = {
        "clientId": settings.api_audience.partition(",")[0].strip().removeprefix("api://"),
        "scopes": user_scope(settings),
        "usePkceWithAuthorizationCodeGrant": True,
    }
    return _START.replace("SIGN_IN", json.dumps(sign_in)).encode()


@lru_cache(maxsize=len(_FILES))
def _file(name: str) -> bytes:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        path = Path(str(distribution(_PACKAGE).locate_file(f"{_FOLDER}/{name}")))
        return path.read_bytes()
    except (PackageNotFoundError, OSError):
        raise NotFound(f"{name} is not installed under /{PREFIX}/docs") from None

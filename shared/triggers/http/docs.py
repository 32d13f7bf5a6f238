"""The description of the API for programs and people, without resources from other sites."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from shared.errors import NotFound
from shared.schemas import base
from shared.triggers.http.endpoint import Endpoints, Reply, Request
from shared.triggers.http.registry import OPERATIONS, PUBLIC

if TYPE_CHECKING:
    from shared.settings import Settings

endpoints = Endpoints()

#: Contains Swagger UI's files. Its Python code, and Flask, which that needs, are never imported.
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
_HTML: Final = {"Content-Type": "text/html; charset=utf-8"}
_ERRORS_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Admin Assistant API: errors</title>
<link rel="icon" type="image/png" href="favicon-32x32.png">
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #ccc; padding: .4rem .8rem .4rem 0; text-align: left; vertical-align: top; }
tr:target { background: #fff3c4; }
@media (prefers-color-scheme: dark) {
  body { background: #16181d; color: #e6e6e6; }
  a { color: #8ab4f8; }
  tr:target { background: #4a3d00; }
}
</style>
</head>
<body>
<h1>Errors of the API</h1>
<p>Every answer that is no success is a problem document (RFC 9457). Its <code>type</code> leads to a line
below, its <code>code</code> is for programs, and <code>detail</code> says what is wrong with this request.
Where fields break a rule, <code>errors</code> names each. <a href="../docs">All operations</a></p>
<table>
<thead><tr><th>Code</th><th>Status</th><th>Cause</th><th>What to do</th></tr></thead>
<tbody>
ROWS</tbody>
</table>
<h2>Codes of fields</h2>
<p>What the <code>code</code> of an entry in <code>errors</code> means. Its <code>message</code> says what to
write. An entry may also have a code from above.</p>
<table>
<thead><tr><th>Code</th><th>Meaning</th></tr></thead>
<tbody>
FIELDS</tbody>
</table>
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


@endpoints.get("openapi.json", summary="Describe the API (OpenAPI 3.1)", access=PUBLIC)
async def openapi_document(request: Request) -> Reply[None]:
    """Built from the declarations of the operations."""
    return Reply(None, content=described(request.app.foundations.settings))


@endpoints.get(
    "docs", summary="Show the description of the API (Swagger UI)", access=PUBLIC, media_type="text/html"
)
async def docs_page(request: Request) -> Reply[None]:
    """Works without any other site."""
    return Reply(None, headers=_policy(request.app.foundations.settings), content=_PAGE.encode())


@endpoints.get(
    # Not a catch-all, which would also match "docs".
    "docs/{file:maxlength(40)}",
    summary="A file of the page that shows the description",
    access=PUBLIC,
    errors=(404,),
)
async def docs_file(request: Request[base.NoBody, base.AnyQuery]) -> Reply[None]:
    """Swagger UI's files by name, the script that starts it, and the list of errors.

    The token service adds what it likes to the address it sends a person back to.
    """
    name = request.relative_path.removeprefix("docs/")
    settings = request.app.foundations.settings
    if name == "start.js":
        return Reply(None, headers={"Content-Type": "text/javascript"}, content=_start(settings))
    if name == "errors":
        return Reply(None, headers=_HTML | _policy(settings), content=errors_page())
    if name not in _FILES:
        raise NotFound("there is no such path")
    headers = {"Content-Type": _FILES[name], "Cache-Control": "public, max-age=86400"}
    return Reply(None, headers=headers | _policy(settings), content=_file(name))


@lru_cache(maxsize=4)
def described(settings: Settings) -> bytes:
    """The OpenAPI document as JSON."""
    import orjson

    # Imported here, because nothing else needs it and it would slow every start.
    from shared.triggers.http.described_texts import without_citations
    from shared.triggers.http.openapi import Description

    document = Description(OPERATIONS.values(), settings).document()
    return orjson.dumps(without_citations(document))


@lru_cache(maxsize=1)
def errors_page() -> bytes:
    """The page of errors, each code with an anchor of its name."""
    from html import escape

    from shared.triggers.http.error_texts import ERRORS, FIELD_CODES

    rows = "".join(
        f'<tr id="{code}"><td><a href="#{code}"><code>{code}</code></a></td><td>{text.status}</td>'
        f"<td>{_code(escape(text.cause))}</td><td>{_code(escape(text.remedy))}</td></tr>\n"
        for code, text in ERRORS.items()
    )
    fields = "".join(
        f'<tr id="field-{code}"><td><a href="#field-{code}"><code>{code}</code></a></td>'
        f"<td>{_code(escape(text))}</td></tr>\n"
        for code, text in FIELD_CODES.items()
    )
    return _ERRORS_PAGE.replace("ROWS", rows).replace("FIELDS", fields).encode()


def _code(text: str) -> str:
    """Names of fields as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", text)


def _policy(settings: Settings) -> dict[str, str]:
    """What the page may load: our own files, and the token service for signing in."""
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
        raise NotFound(f"there is no such file: {name} is not installed") from None

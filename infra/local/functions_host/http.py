"""HTTP triggers: from a request to an invocation and from its outcome to a response.

Conversions are those of the real host with the Python worker's capabilities. The body is raw bytes. Header
names are in lower case. Repeated headers and query parameters are joined by commas. Empty query parameters
are dropped.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

from aiohttp import hdrs, web

from infra.local.functions_host.auth import HostKeys
from infra.local.functions_host.functions import Function
from infra.local.functions_host.invocation import InvocationResult, TraceContext
from infra.local.functions_host.logs import HOST
from infra.local.functions_host.protos import RpcHttp, RpcHttpCookie, TypedData
from infra.local.functions_host.reserved_routes import is_reserved
from infra.local.functions_host.routing import Router
from infra.local.functions_host.worker import Worker

_HOME = "Your Functions app is up and running."
_SAME_SITE = {RpcHttpCookie.SameSite.Lax: "lax", RpcHttpCookie.SameSite.Strict: "strict"}
_SAME_SITE[RpcHttpCookie.SameSite.ExplicitNone] = "none"
_LINE_BREAK = re.compile(r"[\r\n\0]")
# The server frames the response itself.
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive"})


def presented_key(request: web.Request) -> str:
    """The access key of a request: header `x-functions-key`, else query parameter `code`, else empty."""
    return request.headers.get("x-functions-key") or request.query.get("code", "")


class HttpFunctions:
    """Serves the HTTP functions of an app."""

    def __init__(
        self,
        worker: Worker,
        router: Router[Function],
        keys: HostKeys,
        client_binding: Callable[[], TypedData],
    ) -> None:
        self._worker = worker
        self._router = router
        self._keys = keys
        self._client_binding = client_binding

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answers a request: 404 without an enabled function for it, 401 without a fitting key.

        The root is the home page if no function takes it. Paths of the host are no function's.
        """
        if is_reserved(request.path):
            return web.Response(status=404)
        found = self._router.find(request.method, request.rel_url.raw_path)
        if found is None:
            return _unmatched(request)
        function, params = found
        if function.disabled:
            return web.Response(status=404)
        if not self._keys.allows_function(function.auth_level, presented_key(request)):
            return web.Response(status=401)
        inputs = {function.trigger.name: await _incoming(request, params)}
        for name in function.client_parameters:
            inputs[name] = self._client_binding()
        trace = TraceContext.continuing(
            request.headers.get("traceparent", ""), request.headers.get("tracestate", "")
        )
        result = await self._worker.invoke(function.name, inputs, trace_context=trace)
        return self._outgoing(function, result)

    def _outgoing(self, function: Function, result: InvocationResult) -> web.Response:
        if result.failure is not None:
            return web.Response(status=500)
        try:
            response = _response(_answer(function, result))
        except ValueError as error:
            HOST.error("Function '%s' answered with %s (Id=%s)", function.name, error, result.invocation_id)
            return web.Response(status=500)
        return response


def _unmatched(request: web.Request) -> web.Response:
    """The home page at the root, 404 elsewhere."""
    if request.method in {"GET", "HEAD"} and request.rel_url.raw_path == "/":
        return web.Response(text=_HOME)
    return web.Response(status=404)


async def _incoming(request: web.Request, params: Mapping[str, str]) -> TypedData:
    body = await request.read() if request.body_exists else b""
    return TypedData(
        http=RpcHttp(
            method=request.method,
            url=f"{request.scheme}://{request.host}{request.raw_path}",
            headers=_joined(request.headers.items(), lower=True),
            query={name: value for name, value in _joined(request.query.items()).items() if value},
            params=params,
            body=TypedData(bytes=body) if body else TypedData(),
        )
    )


def _joined(pairs: Any, *, lower: bool = False) -> dict[str, str]:
    """Pairs with values of the same name (compared without case) joined by commas, in order."""
    names: dict[str, str] = {}
    values: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        if key in names:
            separator = "; " if key == "cookie" and lower else ","
            values[names[key]] += separator + value
        else:
            names[key] = key if lower else name
            values[names[key]] = value
    return values


def _answer(function: Function, result: InvocationResult) -> TypedData | None:
    """The response among what was produced: the output of a named http binding, else the return value."""
    for binding in function.bindings:
        if binding.kind == "http" and binding.name != "$return" and binding.name in result.outputs:
            return result.outputs[binding.name]
    return result.return_value


def _response(answer: TypedData | None) -> web.Response:
    """Raises ValueError that describes what cannot be sent."""
    kind = None if answer is None else answer.WhichOneof("data")
    if answer is None or kind is None:
        return web.Response(status=204)
    if kind != "http":
        return web.Response(
            body=_body(answer),
            headers={"Content-Type": "application/json" if kind == "json" else "text/plain; charset=utf-8"},
        )
    http: RpcHttp = answer.value
    if not (http.status_code.isdigit() and 200 <= int(http.status_code) <= 999):
        raise ValueError(f"the status code {http.status_code!r}, which cannot be sent")
    response = web.Response(status=int(http.status_code), body=_body(http.body))
    response.headers.popall(hdrs.CONTENT_TYPE, None)
    for name, value in http.headers.items():
        if name.lower() in _FRAMING:
            continue
        if _LINE_BREAK.search(name) or _LINE_BREAK.search(value):
            raise ValueError(f"a line break in the header {name!r}")
        response.headers.add(name, value)
    for cookie in http.cookies:
        response.headers.add(hdrs.SET_COOKIE, _set_cookie(cookie))
    return response


def _body(data: TypedData) -> bytes:
    value = data.value
    if value is None:
        return b""
    return value if isinstance(value, bytes) else str(value).encode()


def _set_cookie(cookie: RpcHttpCookie) -> str:
    """The header value for a cookie, as ASP.NET Core writes it.

    The worker sends an empty domain and path where the app gave none, and the host writes them: the worker's
    own test wants `foo=bar; domain=; path=` (`test_set_cookie_header_in_response_default_value`).
    """
    parts = [f"{cookie.name}={quote(cookie.value, safe='')}"]
    if cookie.expires is not None:
        moment = datetime.fromtimestamp(cookie.expires.value.seconds, UTC)
        parts.append(f"expires={format_datetime(moment, usegmt=True)}")
    if cookie.max_age is not None:
        parts.append(f"max-age={cookie.max_age.value:.0f}")
    if cookie.domain is not None:
        parts.append(f"domain={cookie.domain.value}")
    parts.append(f"path={'/' if cookie.path is None else cookie.path.value}")
    if cookie.secure is not None and cookie.secure.value:
        parts.append("secure")
    if cookie.same_site in _SAME_SITE:
        parts.append(f"samesite={_SAME_SITE[cookie.same_site]}")
    if cookie.http_only is not None and cookie.http_only.value:
        parts.append("httponly")
    return "; ".join(parts)


def cors_middleware(origins: Sequence[str], *, credentials: bool) -> Any:
    """Answers preflights and marks responses for the allowed origins (`*` allows all)."""

    def marks(origin: str) -> dict[str, str]:
        if "*" in origins:
            found = {"Access-Control-Allow-Origin": origin if credentials else "*"}
        elif origin.rstrip("/").lower() in [allowed.rstrip("/").lower() for allowed in origins]:
            found = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
        else:
            return {}
        if credentials:
            found["Access-Control-Allow-Credentials"] = "true"
        return found

    @web.middleware
    async def middleware(request: web.Request, handler: Any) -> web.StreamResponse:
        origin = request.headers.get("Origin", "")
        found = marks(origin) if origin else {}
        if found and request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            found["Access-Control-Allow-Methods"] = request.headers["Access-Control-Request-Method"]
            if wanted := request.headers.get("Access-Control-Request-Headers"):
                found["Access-Control-Allow-Headers"] = wanted
            return web.Response(status=204, headers=found)
        response: web.StreamResponse = await handler(request)
        response.headers.update(found)
        return response

    return middleware

"""The token of a request, and what a token from a cookie may do (design.md, Who may)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.domain.identity.caller import Caller
from shared.domain.identity.roles import Role
from shared.errors import Forbidden, Unauthenticated

if TYPE_CHECKING:
    from azure.functions import HttpRequest

    from shared.services.identity.tokens import TokenValidator

#: App Service authentication puts the signed-in person's access token here (possibly from a cookie).
SIGN_IN_HEADER = "x-ms-token-aad-access-token"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The caller, and the token they called with."""

    caller: Caller
    token: str = field(repr=False)


async def authenticate(request: "HttpRequest", tokens: "TokenValidator") -> Authenticated:
    """The caller of a request, and their token.

    Raises Unauthenticated (401) without a valid token. Raises Forbidden (403) for a mutation that another
    site's page may have sent with the person's cookie.
    """
    authorization = request.headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated("the Authorization header must be: Bearer <access token>")
        token = token.strip()
        return Authenticated(await tokens.validate(token), token)
    token = request.headers.get(SIGN_IN_HEADER, "").strip()
    if not token:
        raise Unauthenticated("an access token is needed")
    caller = await tokens.validate(token)
    if request.method not in _SAFE_METHODS:
        require_same_origin(request.url, request.headers)
    return Authenticated(caller, token)


def require_same_origin(url: str, headers: Mapping[str, str]) -> None:
    """Refuse (403) other sites' pages, by Origin or Sec-Fetch-Site, and X-Requested-By."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    own = origin_of(url)
    same = (
        (site is not None or origin is not None)
        and site in (None, "same-origin")
        and (origin is None or origin.lower() == own)
    )
    if not same or not headers.get("x-requested-by", "").strip():
        raise Forbidden(
            "with a sign-in cookie a change needs a same-origin request and the header X-Requested-By",
            code="cross_site_request",
        )


def origin_of(url: str) -> str | None:
    """Scheme and host of a URL in the form of a browser's origin. None if it cannot be read."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc}".lower()


def authorise(caller: Caller, roles: frozenset[Role]) -> None:
    """Refuse (403) a caller without any of the roles."""
    if not caller.roles & roles:
        needed = ", ".join(sorted(role.value for role in roles))
        raise Forbidden(f"the operation needs one of the roles: {needed}", code="role_missing")

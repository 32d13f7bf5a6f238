"""Sign-in of a person in a browser: the authorization code flow with PKCE (RFC 6749, RFC 7636).

Nobody has a password here: the page lists the mailboxes, and the person chooses one.
"""

import hashlib
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from secrets import compare_digest, token_urlsafe
from typing import Final
from urllib.parse import urlencode, urlsplit

from infra.local.graph_simulator.entra.identity import EntraError, Identity
from infra.local.graph_simulator.graph.calls import Answer
from infra.local.graph_simulator.state.state import State

ROLES: Final = ("User", "Admin", "Auditor")
_LIFETIME_SECONDS: Final = 600
_TOKEN_SECONDS: Final = 3600
_MOST_CODES: Final = 1000
_PAGE: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Sign in (simulated)</title></head>
<body><h1>Who are you?</h1><table>{rows}</table></body>
</html>
"""


@dataclass(frozen=True, slots=True)
class _Code:
    """The content of an authorization code, which is valid once."""

    client: str
    redirect: str
    challenge: str
    scope: str
    oid: str
    address: str
    role: str
    expires: float


class SignIn:
    """The authorization endpoint, and the codes it gave out."""

    def __init__(self, identity: Identity, state: State) -> None:
        self._identity = identity
        self._state = state
        self._codes: dict[str, _Code] = {}

    def authorize(self, tenant: str, query: Mapping[str, str]) -> Answer:
        """``GET /{tenant}/oauth2/v2.0/authorize``: the page, or with ``login_hint`` back with a code."""
        try:
            _check(query)
        except EntraError as error:
            return error.answer()
        mailbox = self._state.find_mailbox(query.get("login_hint", ""))
        if mailbox is None:
            return Answer(200, self._page(tenant, query), {"Cache-Control": "no-store"})
        code = token_urlsafe(32)
        self._forget_old()
        self._codes[code] = _Code(
            client=query["client_id"],
            redirect=query["redirect_uri"],
            challenge=query["code_challenge"],
            scope=query["scope"],
            oid=mailbox.oid,
            address=mailbox.address,
            role=query.get("role", "User"),
            expires=time.monotonic() + _LIFETIME_SECONDS,
        )
        back = urlencode({"code": code, "state": query.get("state", "")})
        return Answer(302, None, {"Location": f"{query['redirect_uri']}?{back}"})

    def token(self, tenant: str, form: Mapping[str, str]) -> Answer:
        """``POST /{tenant}/oauth2/v2.0/token`` with a code, without a secret: a page has none."""
        try:
            token = self._redeem(tenant, form)
        except EntraError as error:
            return error.answer()
        body = {"token_type": "Bearer", "expires_in": _TOKEN_SECONDS, "access_token": token}  # nosec B105
        return Answer(200, body, {"Cache-Control": "no-store, no-cache"})

    def _redeem(self, tenant: str, form: Mapping[str, str]) -> str:
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or code.expires < time.monotonic():
            raise EntraError(400, "invalid_grant", 70008, "The provided authorization code has expired.")
        if (code.client, code.redirect) != (form.get("client_id"), form.get("redirect_uri")):
            raise EntraError(400, "invalid_grant", 50011, "The redirect URI or client does not match.")
        if not compare_digest(_challenge(form.get("code_verifier", "")), code.challenge):
            raise EntraError(400, "invalid_grant", 501481, "The Code_Verifier does not match.")
        resource, _, scope = next(
            part for part in code.scope.split() if part.startswith("api://")
        ).rpartition("/")
        return self._identity.mint(
            {
                "tenant": tenant,
                "audience": resource.removeprefix("api://"),
                "client_id": code.client,
                "oid": code.oid,
                "upn": code.address,
                "scp": scope,
                "roles": [code.role],
                "lifetime_seconds": _TOKEN_SECONDS,
            }
        )

    def _page(self, tenant: str, query: Mapping[str, str]) -> str:
        rows = []
        for mailbox in self._state.all_mailboxes():
            links = []
            for role in ROLES:
                chosen = urlencode({**query, "login_hint": mailbox.address, "role": role})
                links.append(f'<a href="{escape(f"/{tenant}/oauth2/v2.0/authorize?{chosen}")}">{role}</a>')
            rows.append(f"<tr><td>{escape(mailbox.address)}</td><td>{' '.join(links)}</td></tr>")
        return _PAGE.format(rows="\n".join(rows))

    def _forget_old(self) -> None:
        now = time.monotonic()
        for name in [name for name, code in self._codes.items() if code.expires < now]:
            del self._codes[name]
        while len(self._codes) >= _MOST_CODES:
            del self._codes[next(iter(self._codes))]


def readable_by_pages(answer: Answer, origin: str | None) -> Answer:
    """Lets the page that signs in read the answer, as Entra does for the redirect URIs of pages."""
    if origin is not None:
        answer.headers |= {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
    return answer


def preflight(origin: str | None) -> Answer:
    """The answer to a browser that asks what it may send to the token endpoint."""
    allowed = {
        "Access-Control-Allow-Methods": "POST, OPTIONS",
        "Access-Control-Allow-Headers": "authorization, content-type, x-requested-with",
        "Access-Control-Max-Age": "600",
    }
    return readable_by_pages(Answer(204, None, allowed), origin)


def _check(query: Mapping[str, str]) -> None:
    missing = [
        name for name in ("client_id", "redirect_uri", "scope", "code_challenge") if not query.get(name)
    ]
    if missing:
        raise EntraError(400, "invalid_request", 900144, f"The request must contain '{missing[0]}'.")
    if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
        raise EntraError(400, "unsupported_response_type", 700016, "Only code with S256 is served.")
    target = urlsplit(query["redirect_uri"])
    if target.scheme not in ("http", "https") or target.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise EntraError(400, "invalid_request", 50011, "The redirect URI is not one of this machine.")
    if query.get("role", "User") not in ROLES:
        raise EntraError(400, "invalid_request", 90014, "There is no such role.")
    if not any(part.startswith("api://") for part in query["scope"].split()):
        raise EntraError(400, "invalid_scope", 70011, "The scope names no API.")


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()

"""The token service: OpenID metadata, keys, token endpoint, managed-identity endpoint, minted tokens."""

import time
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

import jwt
from cryptography.x509 import load_pem_x509_certificate

from infra.local.graph_simulator.behaviour.counters import Counters
from infra.local.graph_simulator.behaviour.settings import Settings
from infra.local.graph_simulator.graph.calls import Answer, Caller
from infra.local.graph_simulator.state.state import State
from infra.local.graph_simulator.values.errors import GraphError
from infra.local.graph_simulator.values.tokens import KeyRing, TokenRejectedError, unverified_claims

GRAPH = "https://graph.microsoft.com"
_GRAPH_AUDIENCES = frozenset({GRAPH, f"{GRAPH}/", "00000003-0000-0000-c000-000000000000"})
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_OPENID = frozenset({"openid", "profile", "offline_access", "email"})
_OBO = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class EntraError(Exception):
    """A refusal in Entra's shape: ``{"error", "error_description": "AADSTS…", "error_codes"}``."""

    def __init__(self, status: int, error: str, number: int, message: str, **more: str) -> None:
        super().__init__(message)
        self.more = more
        self.status = status
        self.error = error
        self.number = number
        self.message = message

    def answer(self) -> Answer:
        """The HTTP answer."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
        trace, correlation = str(uuid4()), str(uuid4())
        ids = f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
        text = f"AADSTS{self.number}: {self.message} {ids}"
        body = {
            "error": self.error,
            "error_description": text,
            "error_codes": [self.number],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={self.number}",
            **self.more,
        }
        return Answer(self.status, body)


class Identity:
    """Issues and checks tokens; ``base_url`` is set when the server listens."""

    def __init__(self, settings: Settings, state: State, counters: Counters) -> None:
        self.keys = KeyRing()
        self.base_url = ""
        self._settings = settings
        self._state = state
        self._counters = counters

    @property
    def authority(self) -> str:
        """Base of the issuers of tokens for our API."""
        return (self._settings.authority or self.base_url).rstrip("/")

    # What Graph itself accepts

    def caller(self, authorization: str | None) -> Caller:
        """Who calls Graph, by bearer token; raises 401 InvalidAuthenticationToken."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _unauthorized("Access token is empty.")
        try:
            claims = self.keys.check(token, _GRAPH_AUDIENCES)
        except TokenRejectedError as error:
            raise _unauthorized(str(error)) from None
        app = str(claims.get("appid") or claims.get("azp") or "")
        if "scp" in claims:
            return Caller(app, str(claims.get("oid")), frozenset(str(claims["scp"]).split()))
        return Caller(app, None, frozenset(claims.get("roles") or ()))

    # Metadata

    def metadata(self, tenant: str, version: str) -> Answer:
        """``/{tenant}[/v2.0]/.well-known/openid-configuration``."""
        suffix = "/v2.0" if version == "2.0" else ""
        base = f"{self.base_url}/{tenant}"
        return Answer(
            200,
            {
                "issuer": self.issuer(self._tenant(tenant), version),
                "token_endpoint": f"{base}/oauth2{suffix}/token",
                "authorization_endpoint": f"{base}/oauth2{suffix}/authorize",
                "jwks_uri": f"{base}/discovery{suffix}/keys",
                "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            },
        )

    def jwks(self, tenant: str) -> Answer:
        """``/{tenant}/discovery/v2.0/keys``."""
        issuer = self.issuer(self._tenant(tenant), "2.0")
        return Answer(200, {"keys": [key.jwk(issuer) for key in self.keys.keys]})

    def issuer(self, tenant: str, version: str) -> str:
        """Issuer of tokens for our API: ``{authority}/{tid}/v2.0``, for version 1 ``{authority}/{tid}/``."""
        return f"{self.authority}/{tenant}/v2.0" if version == "2.0" else f"{self.authority}/{tenant}/"

    # Issuing

    def token_endpoint(self, tenant: str, form: Mapping[str, str]) -> Answer:
        """``POST /{tenant}/oauth2/v2.0/token``: client credentials and on-behalf-of."""
        try:
            return self._grant(self._tenant(tenant), form)
        except EntraError as error:
            return error.answer()

    def managed_identity(self, query: Mapping[str, str], header: str | None) -> Answer:
        """``GET /msi/token`` of App Service: api-version 2019-08-01 and the secret header."""
        if header is None or header != self._settings.identity_header:
            return Answer(
                401, {"statusCode": 401, "message": "Access denied: X-IDENTITY-HEADER is missing or wrong."}
            )
        if query.get("api-version") != "2019-08-01" or not query.get("resource"):
            return Answer(400, {"statusCode": 400, "message": "api-version and resource are required."})
        client = query.get("client_id") or self._settings.managed_identity_client_id
        resource = query["resource"]
        token, expires = self._app_token(self._settings.tenant_id, client, resource)
        self._counters.token("managed_identity")
        return Answer(
            200,
            {
                "access_token": token,
                "expires_on": str(expires),
                "resource": resource,
                "token_type": "Bearer",  # nosec B105 - a kind of token
                "client_id": client,
            },
        )

    def mint(self, wish: dict[str, Any]) -> str:
        """A token of our API as a test wishes it; raises ``ValueError`` for a wish that makes no sense."""
        tenant = str(wish.get("tenant") or self._settings.tenant_id)
        version = str(wish.get("version") or "2.0")
        if version not in ("1.0", "2.0"):
            raise ValueError("version must be 1.0 or 2.0")
        app_only = bool(wish.get("app_only"))
        client = str(wish.get("client_id") or self._settings.managed_identity_client_id)
        person = None if app_only else self._state.find_mailbox(str(wish.get("upn") or ""))
        known = person.oid if person else uuid5(NAMESPACE_URL, str(wish.get("upn") or client))
        oid = str(wish.get("oid") or known)
        now = int(time.time())
        claims: dict[str, Any] = {
            "aud": wish.get("audience") or "api://admin-assistant",
            "iss": self.issuer(tenant, version),
            "iat": now,
            "nbf": now,
            "exp": now + int(wish.get("lifetime_seconds") or 3600),
            "tid": tenant,
            "oid": oid,
            "sub": oid if app_only else str(uuid5(NAMESPACE_URL, f"{oid}/{wish.get('audience')}")),
            "ver": version,
            "uti": uuid4().hex[:22],
        }
        if version == "1.0":
            claims |= {"appid": client, "appidacr": "1"}
        else:
            claims |= {"azp": client, "azpacr": "1"}
        if app_only:
            claims["idtyp"] = "app"
        else:
            claims["scp"] = wish.get("scp", "access_as_user")
            upn = wish.get("upn") or f"{oid}@example.com"
            claims |= {"name": wish.get("name") or upn, "preferred_username": upn}
            if version == "1.0":
                claims["upn"] = upn
        if wish.get("roles"):
            claims["roles"] = list(wish["roles"])
        overrides = wish.get("overrides") or {}
        if not isinstance(overrides, dict):
            raise ValueError("overrides must be an object")
        for name, value in overrides.items():
            if value is None:
                claims.pop(name, None)
            else:
                claims[name] = value
        self._counters.token("minted")
        return self.keys.sign(claims, kid=wish.get("kid"), alg=str(wish.get("alg") or "RS256"))

    def graph_token(self, client: str | None = None) -> str:
        """An app token for Graph, for tests that need no credential."""
        return self._app_token(
            self._settings.tenant_id, client or self._settings.managed_identity_client_id, GRAPH
        )[0]

    def _grant(self, tenant: str, form: Mapping[str, str]) -> Answer:
        client = form.get("client_id")
        if not client:
            raise EntraError(400, "invalid_request", 900144, "The request body must contain 'client_id'.")
        self._authenticate(client, form)
        grant = form.get("grant_type")
        if grant == "client_credentials":
            scope = form.get("scope", "")
            if not scope.endswith("/.default"):
                raise EntraError(
                    400,
                    "invalid_scope",
                    1002012,
                    f"The provided value for scope {scope} is not valid. Client credential flows must have a "
                    "scope value with /.default suffixed to the resource identifier.",
                )
            token, expires = self._app_token(tenant, client, scope.removesuffix("/.default"))
            self._counters.token("client_credentials")
        elif grant == _OBO and form.get("requested_token_use") == "on_behalf_of":
            token, expires = self._on_behalf(tenant, client, form)
            self._counters.token("on_behalf_of")
        else:
            raise EntraError(
                400,
                "unsupported_grant_type",
                70003,
                f"The app requested an unsupported grant type '{grant}'.",
            )
        lifetime = expires - int(time.time())
        return Answer(
            200,
            {
                "token_type": "Bearer",  # nosec B105 - a kind of token
                "expires_in": lifetime,
                "ext_expires_in": lifetime,
                "access_token": token,
            },
            {"Cache-Control": "no-store, no-cache"},
        )

    def _authenticate(self, client: str, form: Mapping[str, str]) -> None:
        secret, assertion = form.get("client_secret"), form.get("client_assertion")
        if assertion is not None:
            self._check_assertion(client, assertion, form.get("client_assertion_type"))
        elif secret is None:
            raise EntraError(
                401,
                "invalid_client",
                7000218,
                "The request body must contain 'client_assertion' or 'client_secret'.",
            )
        elif secret != self._settings.client_secrets.get(client, self._settings.client_secret):
            raise EntraError(
                401, "invalid_client", 7000215, f"Invalid client secret provided for app '{client}'."
            )

    def _check_assertion(self, client: str, assertion: str, kind: str | None) -> None:
        if kind != _ASSERTION_TYPE:
            raise EntraError(400, "invalid_request", 90023, "Unsupported client_assertion_type.")
        certificate = self._settings.client_certificates.get(client)
        try:
            if certificate is None:
                # A managed identity's token for this audience is a federated credential.
                self.keys.check(assertion, frozenset({"api://AzureADTokenExchange"}))
                return
            key: Any = load_pem_x509_certificate(certificate.encode("ascii")).public_key()
            claims = jwt.decode(
                assertion,
                key,
                algorithms=["RS256", "PS256"],
                options={"verify_aud": False, "require": ["exp"]},
            )
            if claims.get("sub") != client or claims.get("iss") != client:
                raise TokenRejectedError("subject", "The assertion's issuer and subject must be the client.")
        except (TokenRejectedError, jwt.InvalidTokenError) as error:
            raise EntraError(
                401, "invalid_client", 700027, f"The client assertion failed validation. {error}"
            ) from None

    def _on_behalf(self, tenant: str, client: str, form: Mapping[str, str]) -> tuple[str, int]:
        assertion = form.get("assertion", "")
        try:
            audience = unverified_claims(assertion).get("aud")
            claims = self.keys.check(assertion, None)
        except TokenRejectedError as error:
            number = 500133 if error.reason == "expired" else 50013
            raise EntraError(400, "invalid_grant", number, f"Assertion failed validation: {error}") from None
        if audience not in (client, f"api://{client}"):
            raise EntraError(
                400,
                "invalid_grant",
                500131,
                "Assertion audience does not match the Client app presenting it.",
            )
        if claims.get("tid") != tenant or claims.get("iss") not in self._issuers(tenant):
            raise EntraError(400, "invalid_grant", 50013, "Assertion is of another tenant or issuer.")
        if not claims.get("scp") or claims.get("idtyp") == "app":
            raise EntraError(400, "invalid_grant", 50027, "On-behalf-of needs the access token of a user.")
        if self._state.find_mailbox(str(claims.get("oid"))) is None:
            raise EntraError(400, "invalid_grant", 50034, "The user account does not exist in the directory.")
        scopes = self._delegated(claims, form)
        person = {
            "oid": claims["oid"],
            "scp": scopes,
            "name": claims.get("name"),
            "upn": claims.get("preferred_username"),
        }
        return self._signed(tenant, client, GRAPH, person)

    def _issuers(self, tenant: str) -> tuple[str, str]:
        return self.issuer(tenant, "1.0"), self.issuer(tenant, "2.0")

    def _delegated(self, claims: Mapping[str, Any], form: Mapping[str, str]) -> str:
        """The permissions of a token on behalf of a person: what was asked for and agreed to, no more."""
        settings, person, asked = self._settings, str(claims["oid"]), form.get("scope", "").split()
        wanted = [part.removeprefix(f"{GRAPH}/") for part in asked if part.startswith(f"{GRAPH}/")]
        if not wanted or len(wanted) != len([part for part in asked if part not in _OPENID]):
            raise EntraError(
                400, "invalid_scope", 70011, "The provided scope is not valid for this resource."
            )
        if person in settings.interaction_required and "mfa" not in claims.get("amr", ()):
            raise EntraError(
                400,
                "interaction_required",
                50076,
                "Due to a configuration change made by your administrator, you must use multi-factor "
                "authentication.",
                suberror="basic_action",
                claims='{"access_token":{"capolids":{"essential":true,"values":["multi-factor"]}}}',
            )
        agreed = [] if person in settings.consent_missing else settings.delegated_scopes
        missing = [scope for scope in wanted if scope != ".default" and scope not in agreed]
        if missing or not agreed:
            raise EntraError(
                400,
                "invalid_grant",
                65001,
                "The user or administrator has not consented to use the application.",
                suberror="consent_required",
            )
        return " ".join(agreed if ".default" in wanted else wanted)

    def _app_token(self, tenant: str, client: str, resource: str) -> tuple[str, int]:
        oid = str(uuid5(NAMESPACE_URL, f"service-principal/{client}"))
        app: dict[str, Any] = {"oid": oid, "sub": oid, "idtyp": "app"}
        if resource.rstrip("/") == GRAPH:
            app["roles"] = list(self._settings.graph_roles)
        return self._signed(tenant, client, resource, app)

    def _signed(self, tenant: str, client: str, audience: str, more: dict[str, Any]) -> tuple[str, int]:
        now = int(time.time())
        expires = now + self._settings.token_lifetime_seconds
        issuer = (
            f"https://sts.windows.net/{tenant}/"
            if audience.rstrip("/") == GRAPH
            else self.issuer(tenant, "1.0")
        )
        claims = {
            "aud": audience,
            "iss": issuer,
            "iat": now,
            "nbf": now,
            "exp": expires,
            "appid": client,
            "tid": tenant,
            "ver": "1.0",
            "uti": uuid4().hex[:22],
            **more,
        }
        return self.keys.sign(claims), expires

    def _tenant(self, name: str) -> str:
        return self._settings.tenant_id if name in ("common", "organizations") else name


def _unauthorized(message: str) -> GraphError:
    return GraphError(
        401,
        "InvalidAuthenticationToken",
        message,
        headers={"WWW-Authenticate": f'Bearer realm="", authorization_uri="{GRAPH}/common/oauth2/authorize"'},
    )

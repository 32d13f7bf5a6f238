"""Validates Entra access tokens for our API (design.md, Who may; graph.md, Auth)."""

from base64 import urlsafe_b64decode
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol, cast
from uuid import UUID

import orjson

from shared.domain.identity.caller import Caller
from shared.domain.identity.roles import Role
from shared.errors import Unauthenticated
from shared.services.identity.verified_tokens import VerifiedToken, VerifiedTokens

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from shared.services.identity.signing_keys import KeyCache
    from shared.settings import Settings

#: The scope that a signed-in person's token must contain.
USER_SCOPE: Final = "access_as_user"
#: The tolerated difference between our clock and that of the token service, in seconds.
LEEWAY: Final = 60
#: Entra's tokens are far shorter. A longer one is not read at all.
LONGEST_TOKEN: Final = 16_384
_PERSONAL_CLAIMS: Final = ("nonce", "name", "preferred_username")


class InvalidToken(Unauthenticated):
    """A token was sent and is not valid."""

    code = "invalid_token"


class LetIn(Protocol):
    """Which tenants besides the home tenant have access."""

    async def known(self, tenant_id: UUID) -> bool:
        """Whether a token of this tenant is worth checking."""
        ...

    async def active(self, tenant_id: UUID) -> bool:
        """Whether the tenant's people have access now."""
        ...


class TokenValidator:
    """Turns an access token into a caller. With ``further`` None, only the home tenant has access."""

    def __init__(self, settings: "Settings", keys: "KeyCache", further: LetIn | None = None) -> None:
        self._keys = keys
        self._further = further
        self._tenant_id = settings.tenant_id
        self._audiences = accepted_audiences(settings.api_audience)
        self._verified = VerifiedTokens()
        self._authority = settings.authority.rstrip("/")
        self._v1_issuer = settings.v1_issuer.rstrip("/")

    async def validate(self, token: str) -> Caller:
        """The caller who presents the token.

        Raises InvalidToken (401) for any defect, and Unavailable (503) while no signing key of the token
        service was ever read.
        """
        if self._tenant_id is None or not self._audiences:
            raise InvalidToken("no tenant or no audience is configured, so no token is accepted")
        if len(token) > LONGEST_TOKEN:
            raise InvalidToken("the token is too long")
        verified = self._verified.find(token)
        kid, tenant_id = (verified.kid, verified.tenant_id) if verified else _claimed(token)
        further = tenant_id != self._tenant_id
        if further and (self._further is None or not await self._further.known(tenant_id)):
            raise InvalidToken("the token is of another tenant")
        key = await self._keys.find(tenant_id, kid)
        if key is None:
            raise InvalidToken("the token's signing key is not known")
        if verified is None or verified.key is not key:
            claims = self._claims(token, key, tenant_id)
            verified = VerifiedToken(kid, tenant_id, key, self._caller(claims), float(claims["exp"]))
            self._verified.keep(token, verified)
        if further and self._further is not None and not await self._further.active(tenant_id):
            raise InvalidToken("the token is of another tenant")
        return verified.caller

    async def ready(self) -> None:
        """Make signing keys available. Raises Unavailable (503) if they cannot be read."""
        if self._tenant_id is not None:
            await self._keys.ready(self._tenant_id)

    async def probe(self) -> None:
        """Ask the token service itself, without the cache. Raises any error."""
        if self._tenant_id is not None:
            await self._keys.probe(self._tenant_id)

    async def close(self) -> None:
        """Release the resources."""
        await self._keys.close()

    def _issuers(self, tenant_id: UUID) -> dict[str, str]:
        """A tenant's issuers, with the version of their tokens (graph.md, Auth)."""
        return {
            f"{self._authority}/{tenant_id}/v2.0": "2.0",
            f"{self._v1_issuer}/{tenant_id}/": "1.0",
        }

    def _claims(self, token: str, key: "RSAPublicKey", tenant_id: UUID) -> dict[str, Any]:
        """The claims of a token, after signature, times, audience and issuer were checked."""
        import jwt

        issuers = self._issuers(tenant_id)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=self._audiences,
                issuer=list(issuers),
                leeway=LEEWAY,
                options={"require": ["exp", "nbf", "iss", "aud", "tid", "oid", "sub", "ver"]},
            )
        except jwt.ExpiredSignatureError:
            raise InvalidToken("the token has expired") from None
        except jwt.PyJWTError as error:
            raise InvalidToken(f"the token is not valid: {_reason(error)}") from None
        if claims["ver"] != issuers[claims["iss"]]:
            raise InvalidToken("the token's version does not fit its issuer")
        return claims

    def _caller(self, claims: dict[str, Any]) -> Caller:
        # The checked issuer is the one of this tenant.
        tenant_id, object_id = _uuid(claims, "tid"), _uuid(claims, "oid")
        roles = _roles(claims)
        if "scp" in claims:
            return self._person(claims, tenant_id, object_id, roles)
        return self._application(claims, tenant_id, object_id, roles)

    def _person(self, claims: dict[str, Any], tenant: UUID, person: UUID, roles: frozenset[Role]) -> Caller:
        scopes = claims["scp"]
        if not isinstance(scopes, str) or USER_SCOPE not in scopes.split() or claims.get("idtyp") == "app":
            raise InvalidToken(f"the token does not carry the scope {USER_SCOPE}")
        return Caller.user(tenant, person, roles or (Role.USER,))

    def _application(
        self, claims: dict[str, Any], tenant: UUID, application: UUID, roles: frozenset[Role]
    ) -> Caller:
        app_only = (
            claims["oid"] == claims["sub"]
            and any(claims.get(name) for name in ("azp", "appid"))
            and not any(name in claims for name in _PERSONAL_CLAIMS)
            and claims.get("idtyp", "app") == "app"
        )
        if not app_only:
            raise InvalidToken("the token is no access token for this API")
        if not roles:
            raise InvalidToken("the application holds no role")
        return Caller.app(tenant, application, roles)


def accepted_audiences(configured: str) -> list[str]:
    """The ``aud`` values accepted for a setting of one or more ids or URIs, separated by commas.

    A version 2 token names the API by its client id, a version 1 token by id or URI (graph.md, Auth). So a
    client id also means ``api://{id}``, and the reverse.
    """
    named = [part.strip() for part in configured.split(",") if part.strip()]
    found: dict[str, None] = dict.fromkeys(named)
    for audience in named:
        bare = audience.removeprefix("api://")
        if _is_uuid(bare):
            found |= {bare: None, f"api://{bare}": None}
    return list(found)


def _claimed(token: str) -> tuple[str, UUID]:
    """The key id and the tenant in an RS256 token, before anything is fetched for it.

    They select the key. PyJWT then parses the whole token again, strictly by the RFC. It is called only once,
    because its parsing costs more than the signature.
    """
    segments = token.split(".")
    if len(segments) != 3:
        raise InvalidToken("the token is malformed")
    header, claims = _unverified(segments[0]), _unverified(segments[1])
    if header.get("alg") != "RS256":
        raise InvalidToken("the token is not signed with RS256")
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= 256:
        raise InvalidToken("the token names no signing key")
    if "tid" not in claims:
        raise InvalidToken("the token is not valid: a claim is missing")
    return kid, _uuid(claims, "tid")


def _unverified(segment: str) -> dict[str, Any]:
    try:
        found = orjson.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except ValueError:
        raise InvalidToken("the token is malformed") from None
    if not isinstance(found, dict):
        raise InvalidToken("the token is malformed")
    return found


def _reason(error: Exception) -> str:
    import jwt

    reasons: tuple[tuple[type[Exception], str], ...] = (
        (jwt.InvalidAudienceError, "wrong audience"),
        (jwt.InvalidIssuerError, "wrong issuer"),
        (jwt.ImmatureSignatureError, "not valid yet"),
        (jwt.InvalidSignatureError, "wrong signature"),
        (jwt.MissingRequiredClaimError, "a claim is missing"),
    )
    return next((text for kind, text in reasons if isinstance(error, kind)), "malformed")


def _roles(claims: dict[str, Any]) -> frozenset[Role]:
    """The known roles among those in the token. The database holds none (design.md, Who may)."""
    named = claims.get("roles", [])
    if not isinstance(named, list):
        raise InvalidToken("the token's roles are malformed")
    known: Iterable[Role] = Role
    return frozenset(role for role in known if role.value in cast("list[object]", named))


def _uuid(claims: dict[str, Any], name: str) -> UUID:
    try:
        return UUID(claims[name])
    except (ValueError, TypeError, AttributeError):
        raise InvalidToken(f"the token's {name} is malformed") from None


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False

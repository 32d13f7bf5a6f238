"""Tokens for Graph as the app, from the managed identity or the app registration, cached while valid.

One credential per tenant. Tokens on behalf of a person are in ``on_behalf``.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit
from uuid import UUID

from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

#: A token is renewed if it expires in less than this many seconds.
RENEW_BEFORE_SECONDS = 300.0
#: A token that expires in less than this many seconds is not used any more.
LAST_USE_SECONDS = 30.0
TOKEN_TIMEOUT_SECONDS = 20.0
#: The audience of a managed identity's token that replaces a secret of the app registration (federation).
FEDERATION_SCOPE: Final = "api://AzureADTokenExchange/.default"
_LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_PUBLIC_AUTHORITIES = frozenset(
    {
        "https://login.microsoftonline.com",
        "https://login.microsoftonline.us",
        "https://login.partner.microsoftonline.cn",
    }
)
_log = logging.getLogger(__name__)


class Credential(Protocol):
    """The part of an azure-identity credential that we use."""

    async def get_token(self, *scopes: str, **options: Any) -> "AccessToken":
        """A token for the scopes."""
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...


class Tokens(Protocol):
    """Cached tokens for Graph, in the form that a connection to Graph needs."""

    async def get_token(self, *scopes: str, claims: str | None = None, **options: Any) -> "AccessToken":
        """A token, in the form that the SDK's authentication needs."""
        ...

    async def value(self) -> str:
        """The token as text."""
        ...

    async def invalidate(self, value: str | None = None) -> None:
        """Drop the token, or only this ``value``, because Graph refused it."""
        ...

    async def close(self) -> None:
        """Close the connections to the token service."""
        ...


class TokenCache:
    """An azure credential with a cached token. Concurrent calls share one request and its failure.

    azure-identity caches tokens too, but cannot drop one. ``invalidate`` starts a fresh credential.
    """

    def __init__(
        self, make: Callable[[], Credential], scope: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._make = make
        self._scope = scope
        self._clock = clock
        self._credential: Credential | None = None
        self._token: AccessToken | None = None
        self._renewal: asyncio.Task[AccessToken] | None = None

    async def get_token(self, *scopes: str, claims: str | None = None, **options: Any) -> "AccessToken":
        """A token, in the form of the SDK. ``claims`` answer a challenge and require a new token.

        Raises azure-identity's errors and TimeoutError.
        """
        token = self._token
        if claims:
            return await self._renew(claims)
        if token is not None and token.expires_on - self._clock() > RENEW_BEFORE_SECONDS:
            return token
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew(None))
            self._renewal.add_done_callback(self._renewed)
        # Shielded, because other callers still need it after one of them timed out.
        return await asyncio.shield(self._renewal)

    async def value(self) -> str:
        """The token as text. Raises as ``get_token``."""
        return (await self.get_token(self._scope)).token

    async def invalidate(self, value: str | None = None) -> None:
        """Drop the token, or only this ``value``, because Graph refused it."""
        if self._token is None or value not in (None, self._token.token):
            return
        self._token = None
        if self._renewal is None:
            await self._discard()

    async def close(self) -> None:
        """Close the credential's connections."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
        await self._discard()

    def _renewed(self, renewal: "asyncio.Task[AccessToken]") -> None:
        self._renewal = None
        if not renewal.cancelled():
            # Retrieved, so that asyncio does not complain when every waiting caller was cancelled.
            renewal.exception()

    async def _renew(self, claims: str | None) -> "AccessToken":
        if self._credential is None:
            self._credential = self._make()
        options = {"claims": claims, "enable_cae": True} if claims else {}
        try:
            async with asyncio.timeout(TOKEN_TIMEOUT_SECONDS):
                self._token = await self._credential.get_token(self._scope, **options)
        except Exception as error:
            kept = self._token
            if claims or kept is None or kept.expires_on - self._clock() < LAST_USE_SECONDS:
                raise
            _log.warning("no new token, the old one serves on: %s", type(error).__name__)
            return kept
        return self._token

    async def _discard(self) -> None:
        credential, self._credential = self._credential, None
        if credential is not None:
            await credential.close()


class TenantTokens:
    """A token cache for each tenant. A call for one tenant can never carry another's token."""

    def __init__(self, home: UUID | None, make: Callable[[UUID | None], TokenCache]) -> None:
        self._home = home
        self._make = make
        self._tenants: dict[UUID | None, TokenCache] = {}

    def of(self, tenant_id: UUID | None) -> TokenCache:
        """The tenant's tokens. An installation without a home tenant has one credential for all."""
        further = tenant_id if self._home is not None and tenant_id != self._home else None
        if further not in self._tenants:
            self._tenants[further] = self._make(further)
        return self._tenants[further]

    async def close(self) -> None:
        """Close every tenant's credential."""
        tenants, self._tenants = list(self._tenants.values()), {}
        await asyncio.gather(*(tokens.close() for tokens in tenants))


class FederatedCredential:
    """The app registration in a tenant, proven by the managed identity's token instead of a secret."""

    def __init__(
        self, tenant_id: UUID, client_id: str, identity: Credential, options: dict[str, Any]
    ) -> None:
        from azure.identity.aio import ClientAssertionCredential

        self._assertions = TokenCache(lambda: identity, FEDERATION_SCOPE)
        self._assertion = ""
        self._registration = ClientAssertionCredential(
            str(tenant_id), client_id, func=lambda: self._assertion, **options
        )

    async def get_token(self, *scopes: str, **options: Any) -> "AccessToken":
        """A token of the tenant for the scopes. Raises azure-identity's errors."""
        # azure-identity asks for the assertion synchronously, so it is fetched before.
        self._assertion = await self._assertions.value()
        return await self._registration.get_token(*scopes, **options)

    async def close(self) -> None:
        """Close both credentials' connections."""
        await asyncio.gather(self._assertions.close(), self._registration.close())


def make_credential(settings: Settings, further_tenant: UUID | None = None) -> Credential:
    """The credential that the settings select (design.md, Who may).

    The first one that is configured is used:
    1. a managed identity (``managed_identity_client_id``, or App Service's ``IDENTITY_ENDPOINT``),
    2. the app registration's secret,
    3. what azure-identity finds in the environment, such as a certificate
       (``AZURE_CLIENT_CERTIFICATE_PATH``).

    In a further tenant the app registration acts, proven by the managed identity if there is one. Raises
    ValueError if the settings are incomplete.
    """
    # Imported late, because it takes as long as the rest of the worker's start.
    from azure.identity.aio import ClientSecretCredential, EnvironmentCredential

    if further_tenant is not None:
        return _in_further_tenant(settings, further_tenant)
    if has_managed_identity(settings):
        return managed_identity(settings)
    options = authority_options(settings)
    if settings.client_secret is None:
        return EnvironmentCredential(**options)
    if settings.tenant_id is None or not settings.client_id:
        raise ValueError("a client secret for Graph needs tenant_id and client_id")
    secret = settings.client_secret.get_secret_value()
    return ClientSecretCredential(str(settings.tenant_id), settings.client_id, secret, **options)


def _in_further_tenant(settings: Settings, tenant: UUID) -> Credential:
    from azure.identity.aio import CertificateCredential, ClientSecretCredential

    client_id, options = registration_id(settings), authority_options(settings)
    if has_managed_identity(settings):
        return FederatedCredential(tenant, client_id, managed_identity(settings), options)
    if settings.client_secret is not None:
        secret = settings.client_secret.get_secret_value()
        return ClientSecretCredential(str(tenant), client_id, secret, **options)
    certificate = client_certificate()
    if certificate is None:
        raise ValueError("a further tenant needs a managed identity, a client secret or a certificate")
    return CertificateCredential(str(tenant), client_id, certificate_data=certificate, **options)


def has_managed_identity(settings: Settings) -> bool:
    """Whether the platform gives the app an identity."""
    return bool(settings.managed_identity_client_id or os.environ.get("IDENTITY_ENDPOINT"))


def managed_identity(settings: Settings) -> Credential:
    """The identity that the platform gives to this app."""
    from azure.identity.aio import ManagedIdentityCredential

    return ManagedIdentityCredential(client_id=settings.managed_identity_client_id)


def client_certificate() -> bytes | None:
    """The app registration's certificate with its key, if the environment names a file."""
    path = os.environ.get("AZURE_CLIENT_CERTIFICATE_PATH")
    return Path(path).read_bytes() if path else None


def registration_id(settings: Settings) -> str:
    """The client id of our app registration: its own setting, or the id in the API's audience.

    Raises ValueError if neither is set.
    """
    if settings.client_id:
        return settings.client_id
    for audience in settings.api_audience.split(","):
        bare = audience.strip().removeprefix("api://")
        try:
            return str(UUID(bare))
        except ValueError:
            continue
    raise ValueError("client_id is not set, and api_audience does not tell it")


def authority_options(settings: Settings) -> dict[str, Any]:
    """The options of azure-identity for the token service."""
    options: dict[str, Any] = {
        "authority": settings.authority,
        "disable_instance_discovery": settings.authority not in _PUBLIC_AUTHORITIES,
    }
    parts = urlsplit(settings.authority)
    if parts.scheme == "http" and parts.hostname in _LOCAL_HOSTS:
        from shared.local_authority import loopback_transport

        # azure-identity refuses plain http, although nobody can listen on the way to this same machine.
        options |= {"authority": f"https://{parts.netloc}", "transport": loopback_transport()}
    return options

"""Tokens for Graph: from the managed identity or the app registration, kept until they nearly expire."""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

#: A token is renewed when it has less than this many seconds to live.
RENEW_BEFORE_SECONDS = 300.0
#: A token with less than this many seconds to live is not used any more.
LAST_USE_SECONDS = 30.0
TOKEN_TIMEOUT_SECONDS = 20.0
_PUBLIC_AUTHORITIES = frozenset(
    {
        "https://login.microsoftonline.com",
        "https://login.microsoftonline.us",
        "https://login.partner.microsoftonline.cn",
    }
)
_log = logging.getLogger(__name__)


class Credential(Protocol):
    """What we need of an azure-identity credential."""

    async def get_token(self, *scopes: str, **options: Any) -> "AccessToken":
        """A token for the scopes."""
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...


class TokenCache:
    """An azure credential that remembers its token; many callers cause one request and share its failure.

    azure-identity keeps tokens too, but cannot be told to drop one: ``invalidate`` starts a fresh credential.
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
        """A token, as the SDK's authentication asks for it; ``claims`` answer a challenge and need a new one.

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
        # Shielded: the others still want it when one of them has lost patience.
        return await asyncio.shield(self._renewal)

    async def value(self) -> str:
        """The token itself; raises as ``get_token``."""
        return (await self.get_token(self._scope)).token

    async def invalidate(self, value: str | None = None) -> None:
        """Drop the token, or only that one if ``value`` names it: Graph refused it."""
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
            # Looked at, so that asyncio does not complain when everyone who waited has left.
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


def make_credential(settings: Settings) -> Credential:
    """The credential the settings ask for (design.md, Who may).

    A managed identity where there is one (``managed_identity_client_id``, or App Service's
    ``IDENTITY_ENDPOINT``), else the app registration's secret, else what azure-identity finds in the
    environment, which is where a certificate is named (``AZURE_CLIENT_CERTIFICATE_PATH``).
    Raises ValueError if the settings are incomplete.
    """
    # Imported late: it takes as long as the rest of the worker's start.
    from azure.identity.aio import ClientSecretCredential, EnvironmentCredential, ManagedIdentityCredential

    if settings.managed_identity_client_id or os.environ.get("IDENTITY_ENDPOINT"):
        return ManagedIdentityCredential(client_id=settings.managed_identity_client_id)
    options: dict[str, Any] = {
        "authority": settings.authority,
        "disable_instance_discovery": settings.authority not in _PUBLIC_AUTHORITIES,
    }
    if settings.client_secret is None:
        return EnvironmentCredential(**options)
    if settings.tenant_id is None or not settings.client_id:
        raise ValueError("a client secret for Graph needs tenant_id and client_id")
    secret = settings.client_secret.get_secret_value()
    return ClientSecretCredential(str(settings.tenant_id), settings.client_id, secret, **options)

"""A Microsoft Entra access token as the database password."""

from types import TracebackType
from typing import Any, Protocol, Self

from shared.settings import Settings

#: The resource of Azure Database for PostgreSQL, https://learn.microsoft.com/azure/postgresql/security/security-entra-configure
SCOPE = "https://ossrdbms-aad.database.windows.net/.default"


class TokenCredential(Protocol):
    """The interface of azure-identity's asynchronous credentials."""

    async def get_token(self, *scopes: str) -> Any:
        """An object whose ``token`` is the access token, cached until shortly before its expiry."""
        ...

    async def close(self) -> None:
        """Release its connections."""
        ...


class EntraPassword:
    """asyncpg's password callable. It runs for each new connection, so an expired token is never used."""

    def __init__(self, credential: TokenCredential) -> None:
        self._credential = credential

    @classmethod
    def create(cls, settings: Settings) -> Self:
        """Create it with the app's managed identity (user-assigned if one is named)."""
        # Loaded only here: the import is slow, and most installations use a password.
        from azure.identity.aio import ManagedIdentityCredential

        if settings.managed_identity_client_id:
            return cls(ManagedIdentityCredential(client_id=settings.managed_identity_client_id))
        return cls(ManagedIdentityCredential())

    async def __call__(self) -> str:
        """The token. Raises azure-core's ClientAuthenticationError if there is none."""
        token: str = (await self._credential.get_token(SCOPE)).token
        return token

    async def close(self) -> None:
        """Close the credential."""
        await self._credential.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

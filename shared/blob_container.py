"""A container of Azure Blob Storage, connected with the app's own identity when it is first used."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ClassVar, Self, cast

from shared.errors import Unavailable
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.storage.blob.aio import ContainerClient

    from shared.credential import Credential


class BlobContainer:
    """The base of the stores that keep blobs in one container."""

    #: For Unavailable, such as "the storage".
    store: ClassVar[str]
    #: The time limit of one answer.
    answer_seconds: ClassVar[float]

    def __init__(self, connect: "Callable[[], tuple[ContainerClient, Credential | None]]") -> None:
        self._connect = connect
        self._connected: tuple[ContainerClient, Credential | None] | None = None

    @classmethod
    def open(cls, settings: Settings, url: str) -> Self:
        """Open it. The app's identity needs the role Storage Blob Data Contributor there."""
        return cls(lambda: _connect(settings, url))

    @property
    def _container(self) -> "ContainerClient":
        # The client loads slowly, so it is loaded at the first request (cold start).
        if self._connected is None:
            self._connected = self._connect()
        return self._connected[0]

    async def close(self) -> None:
        """Close the connections."""
        if self._connected is not None:
            container, credential = self._connected
            await container.close()
            if credential is not None:
                await credential.close()

    async def _answer[Result](self, request: Awaitable[Result]) -> Result:
        """Raises Unavailable for any failure that is no answer (``_answers``)."""
        from azure.core.exceptions import AzureError

        try:
            async with asyncio.timeout(self.answer_seconds):
                return await request
        except (AzureError, TimeoutError) as error:
            if self._answers(error):
                raise
            raise Unavailable(f"{self.store} does not answer", retry_after=5) from error

    def _answers(self, error: Exception) -> bool:
        """Whether the error says something about a blob."""
        raise NotImplementedError


def _connect(settings: Settings, url: str) -> "tuple[ContainerClient, Credential]":
    from azure.storage.blob.aio import ContainerClient, ExponentialRetry

    from shared.credential import make_credential

    credential = make_credential(settings)
    retry = ExponentialRetry(initial_backoff=1, increment_base=1, retry_total=2, random_jitter_range=1)
    container = ContainerClient.from_container_url(
        url, cast("AsyncTokenCredential", credential), retry_policy=retry
    )
    return container, credential

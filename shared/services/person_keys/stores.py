"""Stores of personal keys: a folder on this machine, or a container of Azure Blob Storage.

A key is 32 bytes under the person's id. A destroyed one leaves a mark in its place, so that no worker creates
a second one.
"""

import asyncio
import contextlib
import logging
import os
import tempfile
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from shared.blob_container import BlobContainer
from shared.errors import Unavailable
from shared.services.person_keys.keys import KEY_BYTES, KeyDestroyed, KeyNotDestroyed, PersonKeyStore
from shared.settings import Settings

_DESTROYED: Final = b"destroyed"
_log = logging.getLogger(__name__)


def open_key_store(settings: Settings) -> PersonKeyStore | None:
    """The store in ``person_key_store``: an https URL of a container, or a folder. None if it is not set."""
    place = settings.person_key_store
    if not place:
        if settings.environment != "local":
            _log.warning("person_key_store is not set: personal values are withheld from the audit")
        return None
    if place.startswith("https://"):
        return BlobKeyStore.open(settings, place)
    return FolderKeyStore(Path(place))


def _key(found: bytes, person: UUID) -> bytes:
    if found == _DESTROYED:
        raise KeyDestroyed(person)
    if len(found) != KEY_BYTES:
        raise ValueError(f"the key of {person} is damaged: {len(found)} bytes")
    return found


class FolderKeyStore:
    """Keys as files for the app's account alone. Do not back them up together with the data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def read(self, person: UUID) -> bytes | None:
        """The key of the file, see PersonKeyStore."""
        found = await self._do(self._read, person)
        return None if found is None else _key(found, person)

    async def create(self, person: UUID, key: bytes) -> bytes:
        """Link a complete file to its name, which succeeds for only one writer. See PersonKeyStore."""
        return _key(await self._do(self._create, person, key), person)

    async def destroy(self, person: UUID) -> None:
        """Replace the key by the mark; see PersonKeyStore."""
        await self._do(self._write, person, _DESTROYED, os.replace)

    async def close(self) -> None:
        """Nothing to close."""

    def _path(self, person: UUID) -> Path:
        return self._folder / f"{person}.key"

    async def _do(self, work: Any, *arguments: Any) -> Any:
        try:
            return await asyncio.to_thread(work, *arguments)
        except OSError as error:
            raise Unavailable(
                "the store of personal keys cannot be read or written", retry_after=5
            ) from error

    def _read(self, person: UUID) -> bytes | None:
        try:
            return self._path(person).read_bytes()
        except FileNotFoundError:
            return None

    def _create(self, person: UUID, key: bytes) -> bytes:
        with contextlib.suppress(FileExistsError):
            self._write(person, key, os.link)
        return self._path(person).read_bytes()

    def _write(self, person: UUID, content: bytes, put: Any) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp makes it readable only for this account.
        handle, name = tempfile.mkstemp(dir=self._folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            put(name, self._path(person))
            self._keep_names()
        finally:
            Path(name).unlink(missing_ok=True)

    def _keep_names(self) -> None:
        # Database rows need this key, so it must survive a power failure.
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class BlobKeyStore(BlobContainer):
    """Keys as blobs of one container. Its account keeps neither versions nor deleted blobs.

    Conditional writes:
    https://learn.microsoft.com/rest/api/storageservices/specifying-conditional-headers-for-blob-service-operations
    """

    store = "the store of personal keys"
    answer_seconds = 10.0

    async def read(self, person: UUID) -> bytes | None:
        """The key of the blob, see PersonKeyStore."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            found = await self._answer(self._download(person))
        except ResourceNotFoundError:
            return None
        return _key(found, person)

    async def create(self, person: UUID, key: bytes) -> bytes:
        """Upload if nothing exists (``If-None-Match: *``). See PersonKeyStore."""
        from azure.core.exceptions import ResourceExistsError

        try:
            await self._answer(self._upload(person, key, overwrite=False))
        except ResourceExistsError:
            found = await self.read(person)
            if found is None:
                raise Unavailable("the store of personal keys contradicts itself", retry_after=5) from None
            return found
        return key

    async def destroy(self, person: UUID) -> None:
        """Overwrite the key with the mark, and check that nothing else is left. See PersonKeyStore."""
        await self._answer(self._upload(person, _DESTROYED, overwrite=True))
        if await self._answer(self._former(person)):
            raise KeyNotDestroyed(
                "the storage account keeps former versions of the person's key: switch versioning and soft"
                " delete off, delete them, and erase again"
            )

    async def _download(self, person: UUID) -> bytes:
        stream = await self._container.download_blob(f"{person}.key")
        return await stream.readall()

    async def _upload(self, person: UUID, content: bytes, *, overwrite: bool) -> None:
        await self._container.upload_blob(f"{person}.key", content, overwrite=overwrite)

    async def _former(self, person: UUID) -> int:
        """How many deleted blobs, versions and snapshots of the key exist besides the mark."""
        blobs = self._container.list_blobs(
            name_starts_with=f"{person}.key", include=["snapshots", "versions", "deleted"]
        )
        found = [blob async for blob in blobs]
        return sum(
            bool(b.deleted or b.snapshot or (b.version_id and not b.is_current_version)) for b in found
        )

    def _answers(self, error: Exception) -> bool:
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        return isinstance(error, ResourceExistsError | ResourceNotFoundError)

"""Files outside the database: a folder on this machine, or a container of Azure Blob Storage.

A name is a path of letters, digits, dots and hyphens (``exports/<person>/<export>.zip``). A file appears
completely or not at all. It is read in pieces, so its size does not matter.
"""

import asyncio
import contextlib
import os
import re
import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol

from shared.blob_container import BlobContainer
from shared.errors import NotFound, Unavailable
from shared.settings import Settings

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(/[A-Za-z0-9][A-Za-z0-9.-]*)*")
#: One block of a blob. A writer never holds more in memory.
BLOCK_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An existing file. ``size`` is in bytes, ``modified`` in UTC."""

    name: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Written:
    """A written file: its length in bytes, and its SHA-256 in hexadecimal."""

    size: int
    sha256: str


class Storage(Protocol):
    """Where the files are. Every method raises Unavailable if the store does not answer."""

    async def write(self, name: str, content: AsyncIterable[bytes]) -> Written:
        """Replace the file of that name. If ``content`` fails, the old file stays."""
        ...

    async def read(self, name: str, offset: int, length: int) -> bytes:
        """At most ``length`` bytes from ``offset`` on. Empty after the end. Raises NotFound."""
        ...

    def files(self, prefix: str) -> AsyncIterator[StoredFile]:
        """The files whose name begins with ``prefix``, in any order."""
        ...

    async def delete(self, name: str) -> bool:
        """Delete a file with its former versions. False if there was none."""
        ...

    async def probe(self) -> None:
        """Raise Unavailable if it does not answer."""
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...


def open_storage(settings: Settings) -> Storage | None:
    """The storage in ``storage``: an https URL of a container, or a folder. None if it is not set."""
    place = settings.storage
    if not place:
        return None
    return BlobStorage.open(settings, place) if place.startswith("https://") else FolderStorage(Path(place))


def checked_name(name: str) -> str:
    """The name. Raises ValueError for one that could lead elsewhere."""
    if not _NAME.fullmatch(name):
        raise ValueError("not a name of a stored file")
    return name


class FolderStorage:
    """Files in a folder that only the app's account may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def write(self, name: str, content: AsyncIterable[bytes]) -> Written:
        """Write beside the file, then rename. See Storage."""
        path = self._path(name)
        handle, beside = await self._do(self._begin, path)
        digest, size = sha256(), 0
        try:
            with os.fdopen(handle, "wb") as file:
                async for chunk in content:
                    await self._do(file.write, chunk)
                    digest.update(chunk)
                    size += len(chunk)
                await self._do(_flush, file)
            await self._do(os.replace, beside, path)
        finally:
            await self._do(beside.unlink, missing_ok=True)
        return Written(size, digest.hexdigest())

    async def read(self, name: str, offset: int, length: int) -> bytes:
        """A part of the file. See Storage."""
        content: bytes | None = await self._do(self._read, self._path(name), offset, length)
        if content is None:
            raise NotFound("there is no such file")
        return content

    async def files(self, prefix: str) -> AsyncIterator[StoredFile]:
        """The files below the folder. See Storage."""
        for found in await self._do(self._list, prefix):
            yield found

    async def delete(self, name: str) -> bool:
        """Unlink it. See Storage."""
        return bool(await self._do(self._delete, self._path(name)))

    async def probe(self) -> None:
        """Whether the folder exists or can be created. See Storage."""
        await self._do(self._folder.mkdir, mode=0o700, parents=True, exist_ok=True)

    async def close(self) -> None:
        """Nothing to close."""

    def _path(self, name: str) -> Path:
        return self._folder / checked_name(name)

    async def _do(self, work: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        try:
            return await asyncio.to_thread(work, *arguments, **named)
        except OSError as error:
            raise Unavailable("the storage cannot be read or written", retry_after=5) from error

    def _begin(self, path: Path) -> tuple[int, Path]:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The leading dot keeps unfinished files out of the list.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
        return handle, Path(name)

    def _read(self, path: Path, offset: int, length: int) -> bytes | None:
        try:
            with path.open("rb") as file:
                # File systems refuse to seek past their largest possible file.
                if offset >= os.fstat(file.fileno()).st_size:
                    return b""
                file.seek(offset)
                return file.read(length)
        except FileNotFoundError:
            return None

    def _list(self, prefix: str) -> list[StoredFile]:
        found = []
        for path in self._folder.rglob("*"):
            name = path.relative_to(self._folder).as_posix()
            if name.startswith(prefix) and not path.name.startswith("."):
                with contextlib.suppress(FileNotFoundError):
                    facts = path.stat()
                    if path.is_file():
                        modified = datetime.fromtimestamp(facts.st_mtime, UTC)
                        found.append(StoredFile(name, facts.st_size, modified))
        return found

    def _delete(self, path: Path) -> bool:
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        with contextlib.suppress(OSError):
            # A folder that is named after a person is deleted with their last file.
            path.parent.rmdir()
        return True


def _flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


class BlobStorage(BlobContainer):
    """Blobs of one container, written in blocks that are committed together.

    Put Block and Put Block List: https://learn.microsoft.com/rest/api/storageservices/put-block-list. Blocks
    that were never committed belong to no blob and are dropped by the service after a week.
    """

    store = "the storage"
    answer_seconds = 60.0

    async def write(self, name: str, content: AsyncIterable[bytes]) -> Written:
        """Stage blocks, then commit their list. See Storage."""
        from azure.storage.blob import BlobBlock

        blob = self._container.get_blob_client(checked_name(name))
        digest, size, waiting = sha256(), 0, bytearray()
        blocks: list[BlobBlock] = []

        async def stage(block: bytes) -> None:
            # All ids of a blob have the same length (Put Block).
            block_id = f"{len(blocks):08d}"
            await self._answer(blob.stage_block(block_id, block, length=len(block)))
            blocks.append(BlobBlock(block_id))

        async for chunk in content:
            digest.update(chunk)
            size += len(chunk)
            waiting += chunk
            while len(waiting) >= BLOCK_BYTES:
                await stage(bytes(waiting[:BLOCK_BYTES]))
                del waiting[:BLOCK_BYTES]
        if waiting:
            await stage(bytes(waiting))
        await self._answer(blob.commit_block_list(blocks))
        return Written(size, digest.hexdigest())

    async def read(self, name: str, offset: int, length: int) -> bytes:
        """A range of the blob. See Storage."""
        from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

        async def fetched() -> bytes:
            stream = await self._container.download_blob(checked_name(name), offset=offset, length=length)
            return await stream.readall()

        try:
            return await self._answer(fetched())
        except ResourceNotFoundError as error:
            raise NotFound("there is no such file") from error
        except HttpResponseError as error:
            if error.status_code == 416:
                return b""
            raise

    async def files(self, prefix: str) -> AsyncIterator[StoredFile]:
        """The blobs of the container. See Storage."""
        from azure.core.exceptions import AzureError

        try:
            async for blob in self._container.list_blobs(name_starts_with=prefix):
                yield StoredFile(blob.name, blob.size or 0, blob.last_modified)
        except AzureError as error:
            raise Unavailable("the storage does not answer", retry_after=5) from error

    async def delete(self, name: str) -> bool:
        """Delete the blob with its snapshots. See Storage."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            await self._answer(self._container.delete_blob(checked_name(name), delete_snapshots="include"))
        except ResourceNotFoundError:
            return False
        return True

    async def probe(self) -> None:
        """Ask for a file that does not exist. See Storage."""
        async for _ in self.files("probe/"):
            return

    def _answers(self, error: Exception) -> bool:
        from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

        beyond_end = isinstance(error, HttpResponseError) and error.status_code == 416
        return beyond_end or isinstance(error, ResourceNotFoundError)

"""A stored file appears whole or not at all, is read in parts, and is gone when it is deleted."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from shared import storage as storages
from shared.errors import NotFound, Unavailable
from shared.storage import BlobStorage, FolderStorage, Storage, open_storage
from tests.integration.storage.block_blobs import BlockBlobServer
from tests.support.settings import make_settings


@dataclass
class Kind:
    """A storage, and a way to break it."""

    storage: Storage
    server: BlockBlobServer | None
    folder: Path


@pytest.fixture(params=["folder", "blobs"])
async def kind(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kind]:
    if request.param == "folder":
        yield Kind(FolderStorage(tmp_path / "files"), None, tmp_path / "files")
        return
    from azure.storage.blob.aio import ContainerClient, ExponentialRetry

    server = BlockBlobServer()
    url = await server.start()
    retry = ExponentialRetry(initial_backoff=0, increment_base=0, retry_total=1, random_jitter_range=0)
    container = ContainerClient.from_container_url(url, retry_policy=retry)
    storage = BlobStorage(lambda: (container, None))
    yield Kind(storage, server, tmp_path)
    await storage.close()
    await server.stop()


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def names(storage: Storage, prefix: str = "") -> list[str]:
    return sorted([file.name async for file in storage.files(prefix)])


async def test_what_is_written_is_read_in_parts(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storages, "BLOCK_BYTES", 4)
    written = await kind.storage.write("exports/a/b.zip", pieces(b"hello ", b"", b"world"))
    assert (written.size, written.sha256) == (11, sha256(b"hello world").hexdigest())
    assert await kind.storage.read("exports/a/b.zip", 0, 5) == b"hello"
    assert await kind.storage.read("exports/a/b.zip", 6, 100) == b"world"
    assert await kind.storage.read("exports/a/b.zip", 11, 5) == b""
    assert await kind.storage.read("exports/a/b.zip", 2**50 - 1, 5) == b""
    with pytest.raises(NotFound):
        await kind.storage.read("exports/a/c.zip", 0, 5)


async def test_a_write_that_breaks_off_leaves_what_was_there(kind: Kind) -> None:
    await kind.storage.write("a/b.txt", pieces(b"old"))

    async def broken() -> AsyncIterator[bytes]:
        yield b"new"
        raise RuntimeError("no more")

    for name in ("a/b.txt", "a/c.txt"):
        with pytest.raises(RuntimeError, match="no more"):
            await kind.storage.write(name, broken())
    assert await kind.storage.read("a/b.txt", 0, 10) == b"old"
    assert await names(kind.storage) == ["a/b.txt"]


async def test_it_is_replaced_listed_and_deleted(kind: Kind) -> None:
    await kind.storage.probe()
    assert await names(kind.storage) == []
    for content in (b"one", b"two"):
        await kind.storage.write("a/1.txt", pieces(content))
    await kind.storage.write("b/2.txt", pieces(b"x"))
    assert await kind.storage.read("a/1.txt", 0, 10) == b"two"
    assert await names(kind.storage, "a/") == ["a/1.txt"]
    assert await kind.storage.delete("a/1.txt")
    assert not await kind.storage.delete("a/1.txt")
    assert await names(kind.storage) == ["b/2.txt"]
    assert not [path for path in kind.folder.glob("a*") if path.exists()]


@pytest.mark.parametrize("name", ["../x", "a/../x", "/x", "", "a//b", ".hidden", "a/.b", "a\\b", "a\0"])
async def test_a_name_leads_nowhere_else(kind: Kind, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        await kind.storage.write(name, pieces(b"x"))
    with pytest.raises(ValueError, match="not a name"):
        await kind.storage.delete(name)


async def test_a_store_that_does_not_answer_is_told_so(kind: Kind) -> None:
    if kind.server is None:
        kind.folder.write_text("a file where the folder should be")
    else:
        kind.server.failing = 10
    with pytest.raises(Unavailable):
        await kind.storage.write("a/b.txt", pieces(b"x"))
    if kind.server is None:
        with pytest.raises(Unavailable):
            await kind.storage.probe()


async def test_the_setting_says_which(tmp_path: Path) -> None:
    assert open_storage(make_settings()) is None
    assert isinstance(open_storage(make_settings(storage=str(tmp_path))), FolderStorage)
    blobs = open_storage(make_settings(storage="https://account.blob.core.windows.net/files"))
    assert isinstance(blobs, BlobStorage)
    await blobs.close()

"""Where personal keys are stored: one for each person, and none after it is destroyed."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from azure.storage.blob.aio import ContainerClient, ExponentialRetry
from pydantic import ValidationError

from shared.clock import SystemClock
from shared.errors import Unavailable
from shared.services.person_keys.keys import (
    KeyDestroyed,
    KeyNotDestroyed,
    PersonKey,
    PersonKeys,
    PersonKeyStore,
)
from shared.services.person_keys.stores import BlobKeyStore, FolderKeyStore, open_key_store
from tests.integration.audit.blob_server import BlobServer
from tests.support.settings import make_settings

ACCOUNT_KEY = "a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5"
PERSON = uuid4()


def blob_store(url: str) -> BlobKeyStore:
    """A store on the container, asking again without waiting."""
    retry = ExponentialRetry(initial_backoff=0, increment_base=0, retry_total=2, random_jitter_range=0)
    return BlobKeyStore(
        lambda: (ContainerClient.from_container_url(url, ACCOUNT_KEY, retry_policy=retry), None)
    )


@pytest.fixture
async def blobs() -> AsyncIterator[BlobServer]:
    server = BlobServer()
    yield server
    await server.stop()


@pytest.fixture(params=["folder", "blob"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, blobs: BlobServer
) -> AsyncIterator[PersonKeyStore]:
    if request.param == "folder":
        yield FolderKeyStore(tmp_path / "deep" / "keys")
        return
    url = await blobs.start()
    store = blob_store(url)
    yield store
    await store.close()


async def test_a_key_is_kept(store: PersonKeyStore) -> None:
    key = os.urandom(32)
    assert await store.read(PERSON) is None
    assert await store.create(PERSON, key) == key
    assert await store.read(PERSON) == key
    assert await store.read(uuid4()) is None


async def test_of_many_who_make_one_all_get_the_same(store: PersonKeyStore) -> None:
    made = await asyncio.gather(*(store.create(PERSON, os.urandom(32)) for _ in range(8)))
    assert set(made) == {await store.read(PERSON)}


async def test_a_destroyed_key_is_gone_permanently(store: PersonKeyStore) -> None:
    await store.create(PERSON, os.urandom(32))
    for _ in range(2):
        await store.destroy(PERSON)
        with pytest.raises(KeyDestroyed):
            await store.read(PERSON)
        with pytest.raises(KeyDestroyed):
            await store.create(PERSON, os.urandom(32))


async def test_one_who_never_had_a_key_can_be_erased_too(store: PersonKeyStore) -> None:
    await store.destroy(PERSON)
    with pytest.raises(KeyDestroyed):
        await store.create(PERSON, os.urandom(32))


async def test_many_workers_agree_on_a_persons_key(store: PersonKeyStore) -> None:
    workers = [PersonKeys(store, SystemClock()) for _ in range(3)]
    persons = [uuid4() for _ in range(4)]
    keys = await asyncio.gather(
        *(worker.for_writing(person) for person in persons for worker in workers for _ in range(2))
    )
    for number, person in enumerate(persons):
        of_person = keys[number * 6 : (number + 1) * 6]
        texts = [key.encrypt("x", str(person)) for key in of_person if key is not None]
        assert len(texts) == 6
        assert {key.decrypt(text, str(person)) for key in of_person if key for text in texts} == {"x"}


async def test_a_crowd_asks_the_store_once_and_a_cancelled_one_harms_no_other(tmp_path: Path) -> None:
    class Counting(FolderKeyStore):
        reads = 0

        async def read(self, person: object) -> bytes | None:
            self.reads += 1
            await asyncio.sleep(0.01)
            return await super().read(person)  # type: ignore[arg-type]

    store = Counting(tmp_path)
    keys = PersonKeys(store, SystemClock())
    crowd = [asyncio.create_task(keys.for_writing(PERSON)) for _ in range(20)]
    await asyncio.sleep(0)
    crowd[0].cancel()
    found = await asyncio.gather(*crowd, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert len({id(key) for key in found[1:]}) == 1
    assert isinstance(found[1], PersonKey)
    assert store.reads == 1


async def test_only_the_apps_account_reads_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    await FolderKeyStore(folder).create(PERSON, os.urandom(32))
    assert folder.stat().st_mode & 0o077 == 0
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o077 == 0


async def test_a_folder_that_cannot_be_used_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable):
        await FolderKeyStore(tmp_path / "file").create(PERSON, os.urandom(32))


async def test_a_busy_blob_store_is_asked_again_and_then_is_an_outage(blobs: BlobServer) -> None:
    url = await blobs.start()
    store = blob_store(url)
    key = os.urandom(32)
    blobs.failing = 1
    assert await store.create(PERSON, key) == key
    blobs.failing = 100
    with pytest.raises(Unavailable):
        await store.read(PERSON)
    await store.close()


async def test_an_account_that_keeps_former_versions_is_no_erasure(blobs: BlobServer) -> None:
    url = await blobs.start()
    store = blob_store(url)
    await store.create(PERSON, os.urandom(32))
    blobs.versioning = True
    with pytest.raises(KeyNotDestroyed, match="versioning"):
        await store.destroy(PERSON)
    await store.close()


async def test_settings_choose_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:9/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "x")
    assert open_key_store(make_settings()) is None
    assert isinstance(open_key_store(make_settings(person_key_store=str(tmp_path))), FolderKeyStore)
    url = "https://account.blob.core.windows.net/keys"
    store = open_key_store(make_settings(person_key_store=url))
    assert isinstance(store, BlobKeyStore)
    assert store._container.url == url
    await store.close()


@pytest.mark.parametrize(
    "value", ["keys", "./keys", "http://a.example/keys", "https://a.example", "ftp://a/b"]
)
def test_a_place_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="person_key_store"):
        make_settings(person_key_store=value)

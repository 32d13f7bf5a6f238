"""A key for each person, outside the database, destroyed at erasure (domain.md 7.1, 15.3)."""

import asyncio
import base64
import logging
import os
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID, uuid4

import orjson

from shared.clock import Clock
from shared.errors import AdminAssistantError, Unavailable

KEY_BYTES: Final = 32
_NONCE_BYTES = 12
_FORMAT = b"\x01"
#: A key is read again after this time, so that another worker's erasure takes effect here.
_KEPT_FOR = timedelta(minutes=5)
_MOST_KEPT = 4096
_FETCHED_AT_ONCE = 8
_log = logging.getLogger(__name__)


class KeyDestroyed(Exception):
    """The person's key was destroyed. They never get another one."""


class KeyNotDestroyed(AdminAssistantError):
    """The store keeps former versions of a key, so destroying it would not work."""

    status = 500
    code = "key_not_destroyed"
    title = "Key not destroyed"


class PersonKeyStore(Protocol):
    """Where the keys are. Every method raises Unavailable if the store does not answer."""

    async def read(self, person: UUID) -> bytes | None:
        """The key. None if there never was one. Raises KeyDestroyed."""
        ...

    async def create(self, person: UUID, key: bytes) -> bytes:
        """Store this key unless one exists. Returns the key in force. Raises KeyDestroyed."""
        ...

    async def destroy(self, person: UUID) -> None:
        """Destroy the key and leave a mark. A second call does nothing. Raises KeyNotDestroyed."""
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...


class PersonKey:
    """Encrypts with AES-256-GCM. A value is bound to its context and cannot be moved to another place."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        # Loaded only when something personal is written or read (cold start).
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
        self._cipher = AESGCM(key)

    def encrypt(self, value: Any, context: str) -> str:
        """The JSON value as text: base64 of format, random nonce, ciphertext and tag."""
        nonce = os.urandom(_NONCE_BYTES)
        ciphertext = self._cipher.encrypt(nonce, orjson.dumps(value), context.encode())
        return base64.b64encode(_FORMAT + nonce + ciphertext).decode("ascii")

    def decrypt(self, text: str, context: str) -> Any:
        """The value. Raises ValueError if text, context or key is wrong."""
        from cryptography.exceptions import InvalidTag

        try:
            raw = base64.b64decode(text, validate=True)
            if raw[:1] != _FORMAT:
                raise ValueError("unknown format")
            nonce, ciphertext = raw[1 : 1 + _NONCE_BYTES], raw[1 + _NONCE_BYTES :]
            return orjson.loads(self._cipher.decrypt(nonce, ciphertext, context.encode()))
        except InvalidTag as error:
            raise ValueError("not encrypted with this key in this place") from error


@dataclass(frozen=True, slots=True)
class _KnownKey:
    """What the store said about a person at an instant. Without a key, it was destroyed."""

    key: PersonKey | None
    at: datetime


class PersonKeys:
    """The keys of one worker, cached for some minutes. Concurrent calls for one key cause one request."""

    def __init__(self, store: PersonKeyStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: OrderedDict[UUID, _KnownKey] = OrderedDict()
        self._asking: dict[tuple[UUID, bool], asyncio.Task[PersonKey | None]] = {}
        self._at_once = asyncio.Semaphore(_FETCHED_AT_ONCE)

    async def for_writing(self, person: UUID) -> PersonKey | None:
        """The person's key, created on first use. None if it was destroyed.

        While the store is away, a cached key is used. This is safe, because the store still controls who can
        read the result. Raises Unavailable if no key is cached.
        """
        known = self._known.get(person)
        if known is not None and self._fresh(known):
            return known.key
        try:
            return await self._ask(person, create=True)
        except Unavailable:
            if known is None:
                raise
            _log.warning("the store of personal keys is away, a remembered key serves on")
            return known.key

    async def for_reading(self, persons: Iterable[UUID]) -> dict[UUID, PersonKey | None]:
        """Each person's key. None if it was destroyed; absent if they never had one. Raises Unavailable."""

        async def one(person: UUID) -> tuple[UUID, PersonKey | None] | None:
            known = self._known.get(person)
            if known is not None and self._fresh(known):
                return person, known.key
            try:
                return person, await self._ask(person, create=False)
            except KeyError:
                return None

        found = await asyncio.gather(*(one(person) for person in set(persons)))
        return dict(each for each in found if each is not None)

    async def destroy(self, person: UUID) -> None:
        """Destroy the person's key permanently. Nothing encrypted with it can be read again.

        Other workers forget it within five minutes. Raises Unavailable and KeyNotDestroyed.
        """
        await self._store.destroy(person)
        self._remember(person, None)

    async def probe(self) -> None:
        """Ask the store for a key that does not exist. Raises Unavailable if it does not answer."""
        await self._store.read(uuid4())

    async def close(self) -> None:
        """Stop requests and close the store."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await self._store.close()

    async def _ask(self, person: UUID, *, create: bool) -> PersonKey | None:
        task = self._asking.get((person, create))
        if task is None:
            task = asyncio.create_task(self._fetch(person, create=create))
            self._asking[person, create] = task
            task.add_done_callback(lambda done: self._asked(done, person, create))
        # Shielded, because other callers still need it when one of them is cancelled.
        return await asyncio.shield(task)

    def _asked(self, task: "asyncio.Task[PersonKey | None]", person: UUID, create: bool) -> None:
        self._asking.pop((person, create), None)
        if not task.cancelled():
            # Retrieved, so that asyncio does not complain when every waiting caller was cancelled.
            task.exception()

    async def _fetch(self, person: UUID, *, create: bool) -> PersonKey | None:
        """Ask the store. Raises KeyError for a person without a key if none should be created."""
        async with self._at_once:
            try:
                raw = await self._store.read(person)
                if raw is None and create:
                    raw = await self._store.create(person, os.urandom(KEY_BYTES))
            except KeyDestroyed:
                return self._remember(person, None)
        if raw is None:
            raise KeyError(person)
        return self._remember(person, PersonKey(raw))

    def _remember(self, person: UUID, key: PersonKey | None) -> PersonKey | None:
        before = self._known.get(person)
        if before is not None and before.key is None:
            # Destroyed while the store was asked. An older answer must not restore it.
            key = None
        self._known[person] = _KnownKey(key, self._clock.now())
        self._known.move_to_end(person)
        if len(self._known) > _MOST_KEPT:
            self._known.popitem(last=False)
        return key

    def _fresh(self, known: _KnownKey) -> bool:
        return self._clock.now() - known.at < _KEPT_FOR

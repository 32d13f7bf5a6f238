"""Caches the token service's signing keys (design.md, Who may).

Concurrent requests cause one fetch. During an outage the cached keys stay in use.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit
from uuid import UUID

import orjson

from shared.clock import Clock
from shared.errors import Unavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_LOG = logging.getLogger(__name__)

#: An unknown key id triggers a search for new keys, for one id at most this often,
UNKNOWN_KEY_INTERVAL = timedelta(minutes=5)
#: and for all ids together at most this often. So invented ids delay a new key by at most this time.
LOOK_INTERVAL = timedelta(seconds=10)
#: Unknown ids remembered for each tenant, and the longest id that is searched.
_MOST_UNKNOWN = 1_000
_LONGEST_ID = 200
#: Keys are fetched again after this time. Entra announces new keys weeks in advance.
MAXIMUM_AGE = timedelta(hours=12)
#: The wait after a failed fetch, so that few requests are slow during an outage.
FAILURE_INTERVAL = timedelta(seconds=5)
#: Largest metadata or key document read, in bytes.
DOCUMENT_LIMIT = 1_048_576
_SMALLEST_KEY_BITS = 2048


class Fetch(Protocol):
    """Reads one HTTP resource."""

    async def __call__(self, url: str) -> bytes:
        """The body of a 200 answer. Raises any exception otherwise."""
        ...


async def fetch_document(url: str) -> bytes:
    """Read a small document with a timeout of 5 s, without following redirects."""
    # The durable library has already loaded aiohttp. httpx would be half of what the first request loads.
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=5)
    async with (
        aiohttp.ClientSession(timeout=timeout, trust_env=True) as client,
        client.get(url, allow_redirects=False, headers={"Accept": "application/json"}) as response,
    ):
        if response.status != 200:
            raise ValueError(f"{url} answered {response.status}")
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > DOCUMENT_LIMIT:
                raise ValueError(f"{url} is larger than {DOCUMENT_LIMIT} bytes")
    return bytes(body)


@dataclass(slots=True)
class _Tenant:
    """The known keys of one tenant."""

    keys: Mapping[str, "RSAPublicKey"] = field(default_factory=dict)
    fetched_at: datetime | None = None
    failed_at: datetime | None = None
    #: When each unknown key id was searched, oldest first.
    unknown: dict[str, datetime] = field(default_factory=dict)
    looked_at: datetime | None = None
    fetching: "asyncio.Task[None] | None" = None


class KeyCache:
    """Signing keys by tenant and key id. For one event loop."""

    def __init__(self, authority: str, clock: Clock, fetch: Fetch = fetch_document) -> None:
        self._authority = authority.rstrip("/")
        self._clock = clock
        self._fetch = fetch
        self._tenants: dict[UUID, _Tenant] = {}

    async def find(self, tenant_id: UUID, kid: str) -> "RSAPublicKey | None":
        """The key. None if the tenant has no key with this id. Raises Unavailable if no key was ever read."""
        tenant = self._tenants.setdefault(tenant_id, _Tenant())
        now = self._clock.now()
        if tenant.fetched_at is None:
            await self._refresh(tenant_id, tenant)
            if tenant.fetched_at is None:
                raise Unavailable("the signing keys of the token service cannot be read", retry_after=5)
        elif kid not in tenant.keys and len(kid) <= _LONGEST_ID:
            await self._look_for_unknown(tenant_id, tenant, kid, now)
        elif now - tenant.fetched_at > MAXIMUM_AGE:
            # The present key is good enough for this request. Later requests get the new set.
            self._start(tenant_id, tenant)
        return tenant.keys.get(kid)

    async def ready(self, tenant_id: UUID) -> None:
        """Make keys available. Raises Unavailable if none can be read."""
        await self.find(tenant_id, "")

    async def probe(self, tenant_id: UUID) -> None:
        """Read the tenant's metadata now, store nothing. Raises any error."""
        orjson.loads(await self._fetch(self._metadata_url(tenant_id)))

    async def close(self) -> None:
        """Stop the fetches in flight."""
        running = [tenant.fetching for tenant in self._tenants.values() if tenant.fetching]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _look_for_unknown(self, tenant_id: UUID, tenant: _Tenant, kid: str, now: datetime) -> None:
        if tenant.fetching is None:
            asked_for = tenant.unknown.get(kid)
            if asked_for is not None and now - asked_for < UNKNOWN_KEY_INTERVAL:
                return
            if tenant.looked_at is not None and now - tenant.looked_at < LOOK_INTERVAL:
                return
            tenant.looked_at = now
            tenant.unknown.pop(kid, None)
            tenant.unknown[kid] = now
            if len(tenant.unknown) > _MOST_UNKNOWN:
                del tenant.unknown[next(iter(tenant.unknown))]
        await self._refresh(tenant_id, tenant)

    async def _refresh(self, tenant_id: UUID, tenant: _Tenant) -> None:
        """Wait for the fetch in flight, or start it. Cancelling one caller does not stop it."""
        task = self._start(tenant_id, tenant)
        if task is not None:
            await asyncio.shield(task)

    def _start(self, tenant_id: UUID, tenant: _Tenant) -> "asyncio.Task[None] | None":
        if tenant.fetching is not None:
            return tenant.fetching
        if tenant.failed_at is not None and self._clock.now() - tenant.failed_at < FAILURE_INTERVAL:
            return None
        tenant.fetching = asyncio.create_task(self._load(tenant_id, tenant))
        return tenant.fetching

    async def _load(self, tenant_id: UUID, tenant: _Tenant) -> None:
        """Replace the keys. After any failure, keep the present ones."""
        try:
            keys = await self._read(tenant_id)
        except Exception as error:
            tenant.failed_at = self._clock.now()
            _LOG.warning("signing keys of tenant %s cannot be read: %s", tenant_id, error)
        else:
            tenant.keys, tenant.fetched_at, tenant.failed_at = keys, self._clock.now(), None
        finally:
            tenant.fetching = None

    async def _read(self, tenant_id: UUID) -> dict[str, "RSAPublicKey"]:
        metadata = orjson.loads(await self._fetch(self._metadata_url(tenant_id)))
        jwks_uri = str(metadata["jwks_uri"])
        if urlsplit(jwks_uri).scheme != "https" and not self._authority.startswith("http://"):
            raise ValueError("jwks_uri is not https")
        keys = read_keys(orjson.loads(await self._fetch(jwks_uri)))
        if not keys:
            raise ValueError("no usable signing key is published")
        return keys

    def _metadata_url(self, tenant_id: UUID) -> str:
        return f"{self._authority}/{tenant_id}/v2.0/.well-known/openid-configuration"


def read_keys(document: Any) -> dict[str, "RSAPublicKey"]:
    """The RSA signing keys of a JWK set, by key id. Other keys, and keys under 2048 bits, are left out."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from jwt import PyJWK
    from jwt.exceptions import PyJWTError

    keys: dict[str, RSAPublicKey] = {}
    for entry in document["keys"]:
        if entry.get("kty") != "RSA" or entry.get("use", "sig") != "sig" or not entry.get("kid"):
            continue
        try:
            key = PyJWK(entry, algorithm="RS256").key
        except (PyJWTError, ValueError):
            continue
        if isinstance(key, RSAPublicKey) and key.key_size >= _SMALLEST_KEY_BITS:
            keys[str(entry["kid"])] = key
    return keys

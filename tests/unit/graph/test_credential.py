"""Tokens are fetched once for many, kept while good, and replaced when refused."""

import asyncio
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from shared.graph.credential import TokenCache, make_credential
from shared.settings import Settings


class Issuer:
    """Makes credentials whose tokens are numbered; ``failing`` makes them fail."""

    def __init__(self) -> None:
        self.time = 0.0
        self.issued = 0
        self.closed = 0
        self.failing: Exception | None = None
        self.claims: list[Any] = []
        self.hold: asyncio.Event | None = None

    def cache(self) -> TokenCache:
        return TokenCache(lambda: self, "scope", clock=lambda: self.time)

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        assert scopes == ("scope",)
        if self.hold is not None:
            await self.hold.wait()
        if self.failing is not None:
            raise self.failing
        self.claims.append(options.get("claims"))
        self.issued += 1
        return AccessToken(f"token {self.issued}", int(self.time + 3600))

    async def close(self) -> None:
        self.closed += 1


async def test_a_token_is_kept_until_it_nearly_expires() -> None:
    issuer = Issuer()
    cache = issuer.cache()
    assert await cache.value() == await cache.value() == "token 1"
    issuer.time = 3200
    assert await cache.value() == "token 1"
    issuer.time = 3301
    assert await cache.value() == "token 2"


async def test_a_crowd_causes_one_request() -> None:
    issuer = Issuer()
    cache = issuer.cache()
    assert set(await asyncio.gather(*(cache.value() for _ in range(50)))) == {"token 1"}
    assert issuer.issued == 1


async def test_a_crowd_shares_one_failure_and_the_next_may_try() -> None:
    issuer = Issuer()
    cache = issuer.cache()
    issuer.failing = OSError("away")
    failures = await asyncio.gather(*(cache.value() for _ in range(5)), return_exceptions=True)
    assert {type(failure) for failure in failures} == {OSError}
    issuer.failing = None
    assert await cache.value() == "token 1"


async def test_one_who_leaves_does_not_take_the_token_from_the_others() -> None:
    issuer = Issuer()
    issuer.hold = asyncio.Event()
    cache = issuer.cache()
    first, second = (asyncio.create_task(cache.value()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    issuer.hold.set()
    assert await second == "token 1"


async def test_the_old_token_serves_while_no_new_one_is_to_be_had() -> None:
    issuer = Issuer()
    cache = issuer.cache()
    await cache.value()
    issuer.failing = OSError("away")
    issuer.time = 3500
    assert await cache.value() == "token 1"
    issuer.time = 3590
    with pytest.raises(OSError, match="away"):
        await cache.value()


async def test_a_refused_token_is_dropped_once() -> None:
    issuer = Issuer()
    cache = issuer.cache()
    first = await cache.value()
    await cache.invalidate(first)
    assert await cache.value() == "token 2"
    await cache.invalidate(first)
    assert await cache.value() == "token 2"
    assert issuer.closed == 1


async def test_a_challenge_asks_for_a_token_with_its_claims() -> None:
    issuer = Issuer()
    cache = issuer.cache()
    await cache.value()
    assert (await cache.get_token("scope", claims="{}")).token == "token 2"
    assert await cache.value() == "token 2"
    assert issuer.claims == [None, "{}"]


async def test_closing_ends_what_is_under_way() -> None:
    issuer = Issuer()
    issuer.hold = asyncio.Event()
    cache = issuer.cache()
    waiting = asyncio.create_task(cache.value())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await cache.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert issuer.closed == 1


SECRET = {"tenant_id": "11111111-1111-4111-8111-111111111111", "client_id": "app", "client_secret": "s"}


@pytest.mark.parametrize(
    ("environment", "values", "kind"),
    [
        ({"IDENTITY_ENDPOINT": "http://127.0.0.1:1"}, SECRET, "ManagedIdentityCredential"),
        ({}, {"managed_identity_client_id": "mi", **SECRET}, "ManagedIdentityCredential"),
        ({}, SECRET, "ClientSecretCredential"),
        ({}, {"authority": "https://login.example.com", **SECRET}, "ClientSecretCredential"),
        ({}, {}, "EnvironmentCredential"),
    ],
)
async def test_the_settings_choose_the_credential(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], values: dict[str, Any], kind: str
) -> None:
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    credential = make_credential(Settings(**values))
    try:
        assert type(credential).__name__ == kind
    finally:
        await credential.close()


def test_a_secret_alone_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IDENTITY_ENDPOINT", raising=False)
    with pytest.raises(ValueError, match="tenant_id"):
        make_credential(Settings(client_secret="s"))  # type: ignore[arg-type]

"""Tokens are fetched once for many, kept while good, and replaced when refused."""

import asyncio
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from azure.core.credentials import AccessToken

from shared import telemetry
from shared.credential import (
    TenantTokens,
    TokenCache,
    authority_options,
    make_credential,
    registration_id,
)
from shared.domain.identity.caller import Caller
from shared.settings import Settings
from tests.support.settings import make_settings


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


async def test_the_old_token_serves_while_no_new_one_is_available() -> None:
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


async def test_closing_ends_what_is_in_progress() -> None:
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


FURTHER = UUID("7d9f3d2c-3c1f-4b52-9a52-4e3f0a5d8c11")
AUDIENCE = "api://22222222-aaaa-4222-8222-222222222222"


@pytest.mark.parametrize(
    ("environment", "values", "kind"),
    [
        ({"IDENTITY_ENDPOINT": "http://127.0.0.1:1"}, {"api_audience": AUDIENCE}, "FederatedCredential"),
        ({}, SECRET, "ClientSecretCredential"),
    ],
)
async def test_in_a_further_tenant_the_registration_acts(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], values: dict[str, Any], kind: str
) -> None:
    for name in ("IDENTITY_ENDPOINT", "AZURE_CLIENT_CERTIFICATE_PATH"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    credential = make_credential(make_settings(**values), FURTHER)
    try:
        assert type(credential).__name__ == kind
    finally:
        await credential.close()


def test_without_any_proof_no_further_tenant_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IDENTITY_ENDPOINT", "AZURE_CLIENT_CERTIFICATE_PATH"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="certificate"):
        make_credential(make_settings(client_id="app"), FURTHER)


def test_the_registrations_id_is_told_by_its_setting_or_the_apis_audience() -> None:
    assert registration_id(make_settings(client_id="app", api_audience=AUDIENCE)) == "app"
    named = make_settings(api_audience=f"api://assistant.example, {AUDIENCE}")
    assert registration_id(named) == AUDIENCE.removeprefix("api://")
    with pytest.raises(ValueError, match="client_id"):
        registration_id(make_settings(api_audience="api://assistant.example"))


async def test_plain_http_to_the_token_service_stays_on_this_machine() -> None:
    local = authority_options(make_settings(authority="http://127.0.0.1:7072"))
    assert local["authority"] == "https://127.0.0.1:7072"
    elsewhere = SimpleNamespace(url="https://login.example.com/token")
    with pytest.raises(ValueError, match="leaves this machine"):
        await local["transport"].send(elsewhere)
    assert "transport" not in authority_options(make_settings(authority="http://login.example.com"))
    public = authority_options(make_settings())
    assert public == {"authority": "https://login.microsoftonline.com", "disable_instance_discovery": False}


async def test_each_tenant_has_tokens_of_its_own() -> None:
    issuers: dict[UUID | None, Issuer] = {}

    def make(tenant: UUID | None) -> TokenCache:
        issuers[tenant] = Issuer()
        return issuers[tenant].cache()

    home = UUID(int=1)
    tokens = TenantTokens(home, make)
    with telemetry.bind(caller=Caller.system(FURTHER, "test")):
        assert await tokens.of(home).value()
    with telemetry.bind(caller=Caller.system(home, "test")):
        value = await tokens.of(FURTHER).value()
        assert await tokens.of(FURTHER).value() == value
    assert {tenant: issuer.issued for tenant, issuer in issuers.items()} == {None: 1, FURTHER: 1}
    await tokens.of(home).invalidate()
    assert await tokens.of(FURTHER).value() == value
    await tokens.close()
    assert {issuer.closed for issuer in issuers.values()} == {1}

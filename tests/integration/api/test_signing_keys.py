"""The signing keys of the token service: one fetch for any crowd, none for noise, none lost in an outage."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from infra.local.graph_simulator import GraphSimulator
from shared.errors import Unavailable
from shared.services.identity.signing_keys import KeyCache, fetch_document, read_keys
from shared.services.identity.tokens import InvalidToken, TokenValidator
from tests.integration.api.caller import AUDIENCE, TENANT
from tests.integration.api.conftest import on_simulator


class ManualClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class CountingFetch:
    """Reads the simulator's documents, counts them, and fails while it is told to."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.failing = False

    async def __call__(self, url: str) -> bytes:
        self.count["keys" if url.endswith("/keys") else "metadata"] += 1
        await asyncio.sleep(0)
        if self.failing:
            raise OSError("the network is down")
        return await fetch_document(url)


class World:
    """A validator on a cache that can be watched."""

    def __init__(self, simulator: GraphSimulator) -> None:
        self.simulator, self.clock, self.fetch = simulator, ManualClock(), CountingFetch()
        self.cache = KeyCache(simulator.base_url, self.clock, self.fetch)
        self.validator = TokenValidator(on_simulator(simulator), self.cache)

    def token(self, **wish: object) -> str:
        return self.simulator.identity.mint({"audience": AUDIENCE, **wish})


@pytest.fixture
async def world(simulator: GraphSimulator) -> World:
    return World(simulator)


async def test_a_crowd_causes_one_fetch(world: World) -> None:
    callers = await asyncio.gather(*(world.validator.validate(world.token()) for _ in range(200)))
    assert {caller.tenant_id for caller in callers} == {TENANT}
    assert world.fetch.count == {"metadata": 1, "keys": 1}


async def test_a_crowd_with_unknown_keys_causes_one_fetch_in_five_minutes(world: World) -> None:
    await world.validator.validate(world.token())
    for expected in (2, 2, 3):
        if expected == 3:
            world.clock.moment += timedelta(minutes=5)
        tokens = [world.token(kid=f"unknown-{number}") for number in range(50)]
        results = await asyncio.gather(
            *(world.validator.validate(token) for token in tokens), return_exceptions=True
        )
        assert all(isinstance(result, InvalidToken) for result in results)
        assert world.fetch.count["keys"] == expected


async def test_a_new_key_is_found_when_it_is_first_used(world: World) -> None:
    await world.validator.validate(world.token())
    old = world.token()
    world.simulator.identity.keys.rotate()
    await world.validator.validate(world.token())
    await world.validator.validate(old)
    assert world.fetch.count["keys"] == 2


async def test_an_invented_key_hides_a_new_one_for_seconds_only(world: World) -> None:
    await world.validator.validate(world.token())
    with pytest.raises(InvalidToken):
        await world.validator.validate(world.token(kid="invented"))
    world.simulator.identity.keys.rotate()
    world.clock.moment += timedelta(seconds=10)
    await world.validator.validate(world.token())
    assert world.fetch.count["keys"] == 3


async def test_invented_keys_cause_few_fetches_and_are_forgotten(world: World) -> None:
    await world.validator.validate(world.token())
    for number in range(1_200):
        world.clock.moment += timedelta(seconds=0.05)
        with pytest.raises(InvalidToken):
            await world.validator.validate(world.token(kid=f"invented-{number}"))
    assert world.fetch.count["keys"] <= 8
    with pytest.raises(InvalidToken):
        await world.validator.validate(world.token(kid="x" * 201))
    assert world.fetch.count["keys"] <= 8


async def test_known_keys_outlive_an_outage(world: World) -> None:
    token = world.token()
    await world.validator.validate(token)
    world.fetch.failing = True
    world.clock.moment += timedelta(days=2)
    for _ in range(3):
        await world.validator.validate(token)
        await asyncio.sleep(0.01)
    with pytest.raises(InvalidToken):
        await world.validator.validate(world.token(kid="unknown"))


async def test_without_any_key_the_answer_is_try_again_and_few_requests_wait(world: World) -> None:
    world.fetch.failing = True
    results = await asyncio.gather(
        *(world.validator.validate(world.token()) for _ in range(20)), return_exceptions=True
    )
    assert all(isinstance(result, Unavailable) and result.retry_after for result in results)
    with pytest.raises(Unavailable):
        await world.validator.ready()
    assert world.fetch.count["metadata"] == 1
    world.fetch.failing = False
    world.clock.moment += timedelta(seconds=6)
    await world.validator.validate(world.token())


async def test_a_caller_who_leaves_does_not_stop_the_fetch_for_others(world: World) -> None:
    impatient = asyncio.create_task(world.validator.validate(world.token()))
    patient = asyncio.create_task(world.validator.validate(world.token()))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).tenant_id == TENANT
    assert world.fetch.count["keys"] == 1


async def test_closing_stops_a_fetch_in_flight(world: World) -> None:
    waiting = asyncio.create_task(world.validator.ready())
    await asyncio.sleep(0)
    await world.validator.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_only_usable_rsa_signing_keys_are_taken(world: World) -> None:
    good = world.simulator.identity.keys.current.jwk("issuer")
    document = {
        "keys": [
            good,
            good | {"kid": "encrypts", "use": "enc"},
            good | {"kid": "short", "n": good["n"][:100]},
            good | {"kid": "broken", "n": "!"},
            {"kty": "EC", "kid": "curve"},
            {"kty": "oct", "kid": "secret", "k": "AAAA"},
        ]
    }
    assert set(read_keys(document)) == {good["kid"]}

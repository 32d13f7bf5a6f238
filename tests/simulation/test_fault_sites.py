"""A world's ill will: which places it strikes, and when."""

import random

from tests.simulation.fault_sites import Grudge
from tests.simulation.mishaps import Mishap

_LAST = "finish_verification"
_KINDS = (Mishap.CRASH_AT_CALL, Mishap.CRASH_AT_TIME, Mishap.CANCELLED, Mishap.TWIN)


def make(seed: int) -> Grudge:
    return Grudge(random.Random(f"grudge {seed}"), random.Random(f"seldom {seed}"))


def test_some_worlds_strike_each_place_that_few_pass() -> None:
    worlds = [make(seed) for seed in range(200)]
    for place in ("database: insert appointments", "database: insert verification_findings"):
        assert any(world.strikes(place) for world in worlds)


def test_a_place_is_struck_once_and_once_more_before_the_last_verification() -> None:
    place = "database: insert verification_findings"
    worlds = [make(seed) for seed in range(200)]
    for world in worlds:
        world.relent()
    struck = [world for world in worlds if world.strikes(place)]
    assert struck
    assert not any(world.strikes(place) for world in struck)
    for world in struck:
        world.forgive()
    assert not any(world.strikes(place) for world in struck)
    for world in struck:
        world.resent()
    assert any(world.strikes(place) for world in struck)


def test_a_place_that_connections_pass_when_they_are_old_is_struck_after_the_storm() -> None:
    worlds = [make(seed) for seed in range(200)]
    for world in worlds:
        world.relent()
    assert any(world.strikes("database: close a statement") for world in worlds)


def test_a_mishap_befalls_an_activity_of_the_last_verification_once() -> None:
    worlds = [make(seed) for seed in range(200)]
    assert not any(world.mishap(_LAST, *_KINDS) for world in worlds)
    for world in worlds:
        world.resent()
    assert {world.mishap(_LAST, *_KINDS) for world in worlds} == {None, *_KINDS}
    assert not any(world.mishap(_LAST, *_KINDS) for world in worlds)

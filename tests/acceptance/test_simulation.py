"""Simulated worlds: nothing is lost, doubled or unaccounted for, whatever goes wrong."""

import re

import pytest

from tests.acceptance.conftest import AcceptancePoint
from tests.acceptance.simulated_worlds import SimulatedWorlds

#: The simulation has processes of its own.
pytestmark = pytest.mark.one_instance
_SUMMARY = re.compile(r"(\d+) seeds from \d+: (\d+) failed, ([\d.]+) s each.*")
_TWICE = re.compile(r"(\d+) seeds twice: traces ([0-9a-f]{16}) and ([0-9a-f]{16})")


def test_simulated_worlds(acceptance_point: AcceptancePoint, worlds: SimulatedWorlds) -> None:
    """Thousands of simulated worlds end as they must, each kind of fault among them."""
    code, output = worlds.result()
    told = _SUMMARY.search(output)
    assert told is not None, output
    acceptance_point(measured=told.group(0), bound="0 failed, every kind of fault struck")
    assert code == 0, output
    assert (int(told.group(1)), int(told.group(2))) == (worlds.seeds, 0)


def test_simulated_worlds_repeat(acceptance_point: AcceptancePoint, worlds: SimulatedWorlds) -> None:
    """A seed simulated twice has the same trace, in whatever process and after whatever others."""
    _, output = worlds.result()
    told = _TWICE.search(output)
    assert told is not None, output
    acceptance_point(measured=told.group(0), bound="the same trace")
    assert int(told.group(1)) == worlds.twice
    assert told.group(2) == told.group(3)

"""Simulated worlds: nothing is lost, doubled or unaccounted for, whatever goes wrong."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import AcceptancePoint

#: The simulation has processes of its own.
pytestmark = [pytest.mark.one_instance, pytest.mark.asyncio(loop_scope="module")]
ROOT = Path(__file__).parents[2]
SEEDS = 2000
QUICK_SEEDS = 200
TWICE = 300
QUICK_TWICE = 20
_SUMMARY = re.compile(r"(\d+) seeds from \d+: (\d+) failed, ([\d.]+) s each.*")
_TWICE = re.compile(r"(\d+) seeds twice: traces ([0-9a-f]{16}) and ([0-9a-f]{16})")
_RUNS: dict[bool, tuple[int, str]] = {}


async def test_simulated_worlds(acceptance_point: AcceptancePoint, quick: bool) -> None:
    """Thousands of simulated worlds end as they must, each kind of fault among them."""
    code, output = await _simulated(quick=quick)
    told = _SUMMARY.search(output)
    assert told is not None, output
    acceptance_point(measured=told.group(0), bound="0 failed, every kind of fault struck")
    assert code == 0, output
    assert (int(told.group(1)), int(told.group(2))) == (QUICK_SEEDS if quick else SEEDS, 0)


async def test_simulated_worlds_repeat(acceptance_point: AcceptancePoint, quick: bool) -> None:
    """A seed simulated twice has the same trace, in whatever process and after whatever others."""
    _, output = await _simulated(quick=quick)
    told = _TWICE.search(output)
    assert told is not None, output
    acceptance_point(measured=told.group(0), bound="the same trace")
    assert int(told.group(1)) == (QUICK_TWICE if quick else TWICE)
    assert told.group(2) == told.group(3)


async def _simulated(*, quick: bool) -> tuple[int, str]:
    """One run for both points: the worlds take half an hour."""
    if quick not in _RUNS:
        seeds, twice = (QUICK_SEEDS, QUICK_TWICE) if quick else (SEEDS, TWICE)
        _RUNS[quick] = await _simulate("--seeds", str(seeds), "--twice", str(twice), "--complete")
    return _RUNS[quick]


async def _simulate(*arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.simulation", *arguments),
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "0"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode()
    return process.returncode or 0, output

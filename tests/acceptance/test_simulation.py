"""Simulated worlds: nothing is lost, doubled or unaccounted for, whatever goes wrong (issue 3)."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import AcceptancePoint

#: The simulation has processes of its own.
pytestmark = pytest.mark.one_instance
ROOT = Path(__file__).parents[2]
SEEDS = 2000
QUICK_SEEDS = 200
SECONDS_A_SEED = 0.5
TWICE = 300
QUICK_TWICE = 20
_SUMMARY = re.compile(r"(\d+) seeds from \d+: (\d+) failed, ([\d.]+) s each.*")
_TRACE = re.compile(r"trace ([0-9a-f]{16})\s*$")


async def test_simulated_worlds(acceptance_point: AcceptancePoint, quick: bool) -> None:
    """Thousands of simulated worlds end as they must, each kind of fault among them."""
    seeds = QUICK_SEEDS if quick else SEEDS
    code, output = await _simulate("--seeds", str(seeds), "--complete")
    told = _SUMMARY.search(output)
    assert told is not None, output
    acceptance_point(
        measured=told.group(0), bound=f"0 failed, {SECONDS_A_SEED} s each, every kind of fault struck"
    )
    assert code == 0, output
    assert (int(told.group(1)), int(told.group(2))) == (seeds, 0)
    assert float(told.group(3)) <= SECONDS_A_SEED


async def test_simulated_worlds_repeat(acceptance_point: AcceptancePoint, quick: bool) -> None:
    """A seed simulated twice has the same trace, in whatever process and after whatever others."""
    seeds = str(QUICK_TWICE if quick else TWICE)
    first = await _simulate("--seeds", seeds)
    again = await _simulate("--seeds", seeds, "--processes", "1")
    hashes = [found.group(1) for _, output in (first, again) if (found := _TRACE.search(output))]
    acceptance_point(measured=f"{seeds} seeds twice: traces {' and '.join(hashes)}", bound="the same trace")
    assert len(hashes) == 2, first[1] + again[1]
    assert hashes[0] == hashes[1]


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

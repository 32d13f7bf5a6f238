"""Simulated worlds: nothing is lost, doubled or unaccounted for, whatever goes wrong (issue 3)."""

import asyncio
import os
import re
import sys
from pathlib import Path

from tests.acceptance.conftest import AcceptancePoint

ROOT = Path(__file__).parents[2]
SEEDS = 2000
QUICK_SEEDS = 200
SECONDS_A_SEED = 0.5
_SUMMARY = re.compile(r"(\d+) seeds from \d+: (\d+) failed, ([\d.]+) s each.*")


async def test_simulated_worlds(acceptance_point: AcceptancePoint, quick: bool) -> None:
    """Thousands of simulated worlds end as they must, each kind of fault among them."""
    seeds = QUICK_SEEDS if quick else SEEDS
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.simulation", "--seeds", str(seeds), "--complete"),
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "0"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode()
    told = _SUMMARY.search(output)
    assert told is not None, output
    acceptance_point(
        measured=told.group(0), bound=f"0 failed, {SECONDS_A_SEED} s each, every kind of fault struck"
    )
    assert process.returncode == 0, output
    assert (int(told.group(1)), int(told.group(2))) == (seeds, 0)
    assert float(told.group(3)) <= SECONDS_A_SEED

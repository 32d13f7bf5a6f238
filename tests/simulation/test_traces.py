"""A seed means the same in every process, whatever was simulated there before."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


async def traces(first: int, seeds: int) -> dict[str, str]:
    """The trace of each seed, simulated one after another in a new process."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.simulation", "--verbose", "--processes", "1"),
        *("--first", str(first), "--seeds", str(seeds)),
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "0"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    return dict(re.findall(r"^seed (\d+): trace ([0-9a-f]{16})", output, re.MULTILINE))


@pytest.mark.slow
async def test_a_seed_has_one_trace() -> None:
    after_others, alone = await asyncio.gather(traces(2, 5), traces(5, 2))
    assert alone.keys() == {"5", "6"}
    assert after_others.items() >= alone.items()

"""A run survives the death of every process of the system (design.md, Archive)."""

from pathlib import Path

import pytest

from tests.support.killing import Kill, survive_kills


@pytest.mark.slow
async def test_a_run_completes_after_any_part_of_the_system_was_killed(tmp_path: Path) -> None:
    kills = [Kill("simulator", after=0.4, then=0.2), Kill("postgres", after=0.3, then=0.0)]
    assert await survive_kills(tmp_path / "state", kills) == []

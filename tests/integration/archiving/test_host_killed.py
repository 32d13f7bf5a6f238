"""A run survives the death of the host (design.md, Archive)."""

from pathlib import Path

import pytest

from tests.support.killing import survive_kills


@pytest.mark.slow
async def test_a_run_completes_after_the_host_was_killed_at_any_moment(tmp_path: Path) -> None:
    assert await survive_kills(tmp_path / "state", (0.0, 0.1, 0.25, 0.5, 0.8)) == []

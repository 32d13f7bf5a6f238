"""Logs are bounded in size and number while a process keeps writing to them."""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

from infra.local.log_files import keep_bounded, rotate
from infra.local.processes import Child

# A rotation may lose a line that is written at the same time. So the last line is written after the rotation.
_WRITER = """
import os, time
for n in range(4000): print('x' * 99, flush=True)
while os.fstat(1).st_size > 50_000: time.sleep(0.01)
print('the last line', flush=True)
"""


def test_a_short_log_stays_as_it_is(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    assert not rotate(log, 100)
    log.write_text("short")
    assert not rotate(log, 100)
    assert log.read_text() == "short"


def test_of_many_full_logs_the_newest_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    for number in range(6):
        log.write_text(f"{number}" * 20)
        assert rotate(log, 10, kept=3)
    assert log.read_text() == ""
    assert [path.read_text()[0] for path in sorted(tmp_path.glob("part.log.*"))] == ["5", "4", "3"]
    assert (tmp_path / "part.log.1").stat().st_mode & 0o777 == 0o600


async def test_a_log_that_is_being_written_stays_bounded_and_keeps_its_end(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    child = Child("the writer", [sys.executable, "-c", _WRITER], log=log)
    rotation = asyncio.create_task(keep_bounded(lambda: [log], 50_000, 2, look_seconds=0.01))
    await child.start()
    assert await child.wait() == 0
    rotation.cancel()
    with suppress(asyncio.CancelledError):
        await rotation
    assert "part.log.1" in os.listdir(tmp_path)
    assert set(os.listdir(tmp_path)) <= {"part.log", "part.log.1", "part.log.2"}
    newest = log.read_text()
    assert newest.endswith("the last line\n")
    # Written on from the beginning, not where the writer was: no hole in the file.
    assert "\0" not in newest


async def test_a_log_is_readable_by_its_owner_only_and_told_since_the_start(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "part.log"
    for word in ("first", "second"):
        child = Child("the writer", [sys.executable, "-c", f"print('{word}')"], log=log)
        await child.start()
        await child.wait()
    assert child.log_since_start() == "second\n"
    assert log.stat().st_mode & 0o777 == 0o600
    assert log.parent.stat().st_mode & 0o777 == 0o700

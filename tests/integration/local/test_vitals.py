"""What a running system needs and loses: a disk with room, a PostgreSQL that answers."""

import os
import queue
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from infra.local import disks, vitals
from infra.local.errors import LocalError
from infra.local.stack import Stack
from infra.local.state_folder import delete_state


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own that is soon full; only where we may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("no right to mount a small disk")
    yield folder
    delete_state(folder / "state")
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_a_full_disk_is_told_when_it_fills_and_when_it_has_room_again(
    small_disk: Path, app: Path
) -> None:
    async with Stack(small_disk / "state", app=app, migrate=False) as stack, heard(stack) as told:
        filler = small_disk / "filler"
        fill(filler)
        assert "is full" in told.get(timeout=10)
        filler.unlink()
        assert "has room again" in told.get(timeout=10)


async def test_a_system_does_not_start_on_a_full_disk(small_disk: Path, app: Path) -> None:
    fill(small_disk / "filler")
    with pytest.raises(LocalError, match=r"^the disk of .* is full: \d+ MB are free, 200 MB are needed$"):
        await Stack(small_disk / "state", app=app, migrate=False).start()


async def test_a_postgresql_that_stopped_is_told_and_so_is_that_it_continues(
    state: Path, app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even while the event loop of the command does nothing else."""
    assert vitals.LOOK_SECONDS + vitals.PATIENCE_SECONDS < 10
    monkeypatch.setattr(vitals, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(vitals, "PATIENCE_SECONDS", 1.0)
    async with Stack(state, app=app, migrate=False) as stack, heard(stack) as told:
        assert stack.postgres.pid is not None
        os.kill(stack.postgres.pid, signal.SIGSTOP)
        try:
            # On purpose no await: a large file is read like this.
            assert "PostgreSQL has not answered" in told.get(timeout=10)
        finally:
            os.kill(stack.postgres.pid, signal.SIGCONT)
        assert told.get(timeout=10) == "PostgreSQL answers again"
        assert told.empty()


def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    assert disks.trouble(tmp_path / "not" / "there" / "yet") is None
    told = disks.trouble(Path("/proc/self"), 0)
    assert told is not None
    assert told.startswith("cannot write in /proc/self")


@asynccontextmanager
async def heard(stack: Stack) -> AsyncIterator[queue.SimpleQueue[str]]:
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    async with vitals.told(stack, told.put):
        yield told


def fill(path: Path) -> None:
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(path.parent).free - 10 * disks.MEGABYTE)

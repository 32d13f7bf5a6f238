"""Ctrl-C at several moments of several commands: an orderly end, and never a traceback."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.local.processes import leftovers
from infra.local.stack import _MODULES, ROOT

_FINGERPRINT = (
    '{ cat requirements.txt pyproject.toml && printf "%s\\n" '
    '"$(.venv/bin/python -c "import sys; print(sys.version, sys.base_prefix)")"; } | cksum'
)
_PYTEST = "import time\n\n\ndef test_that_takes_long():\n    time.sleep(600)\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with its environment made, so that ``./dev`` installs nothing."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("dev", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("infra", "shared", "function_app.py", "host.json"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv" / "bin").mkdir(parents=True)
    python = folder / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    stamp = subprocess.run(["sh", "-c", _FINGERPRINT], cwd=folder, capture_output=True, text=True, check=True)
    (folder / ".venv" / ".stamp").write_text(stamp.stdout)
    return folder


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.04, 0.06, 0.1, 0.15, 0.25, 0.4])
def test_a_command_that_starts_others_ends_without_a_traceback(checkout: Path, seconds: float) -> None:
    status, told = interrupted(checkout, seconds, "permissions", "--json")
    assert "Traceback" not in told
    # It may have been faster than we.
    assert status in (130, 0)


@pytest.mark.parametrize("seconds", [0.3, 1.5, 2.5])
def test_a_system_that_starts_leaves_nothing_behind(checkout: Path, state: Path, seconds: float) -> None:
    status, told = interrupted(checkout, seconds, "run", "--once", "--port", "0", "--state", str(state))
    assert "Traceback" not in told
    assert status == 130
    assert leftovers(state.resolve(), _MODULES) == []


@pytest.mark.parametrize("options", [[], ["-n", "1"]])
def test_tests_end_in_order(checkout: Path, tmp_path: Path, options: list[str]) -> None:
    path = tmp_path / "test_long.py"
    path.write_text(_PYTEST)
    for seconds in (0.3, 3.0):
        status, told = interrupted(checkout, seconds, "test", str(path), *options)
        assert "Traceback (most recent call last)" not in told
        assert status == 130


def interrupted(checkout: Path, seconds: float, *arguments: str) -> tuple[int, str]:
    """Status and output of a command. Ctrl-C reaches it and its children, as from a terminal.

    The status is the one that a shell shows: death by SIGINT is 130. It is the same whether ``dev`` or Python
    handled the signal, or an interpreter that still starts dies of it.
    """
    process = subprocess.Popen(
        [checkout / "dev", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    time.sleep(seconds)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    told, _ = process.communicate(timeout=60)
    return 128 - process.returncode if process.returncode < 0 else process.returncode, told

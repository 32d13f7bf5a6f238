"""The simulated worlds of ``./dev accept``, which run beside the other points.

They use over an hour of CPU time. Most other points use little, because they wait for their own processes.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from infra.local import interrupts

ROOT = Path(__file__).parents[2]
#: How many worlds, and how many of them a second time; fewer with ``--quick``.
SEEDS, TWICE = 2000, 300
QUICK_SEEDS, QUICK_TWICE = 200, 20
#: The worlds of this session, if one of its points is about them.
WORLDS = pytest.StashKey["SimulatedWorlds"]()
_END_SECONDS = 60


@dataclass(slots=True)
class SimulatedWorlds:
    """One ``python -m tests.simulation`` at the lowest priority."""

    seeds: int = SEEDS
    twice: int = TWICE
    _folder: TemporaryDirectory[str] = field(default_factory=TemporaryDirectory)
    _process: subprocess.Popen[bytes] | None = None

    @classmethod
    def of(cls, *, quick: bool) -> "SimulatedWorlds":
        """All of them, or with ``quick`` a tenth."""
        return cls(QUICK_SEEDS, QUICK_TWICE) if quick else cls()

    def start(self) -> None:
        """Start them, unless they were started."""
        if self._process is not None:
            return
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [*_lowest_priority(), *interrupts.python("tests.simulation", *self._arguments())],
                cwd=ROOT,
                env=os.environ | {"PYTHONHASHSEED": "0"},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def result(self) -> tuple[int, str]:
        """Wait for their end. Their exit status and what they printed."""
        self.start()
        assert self._process is not None
        return self._process.wait(), self._output.read_text()

    def stop(self) -> None:
        """End what still runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                # The session of its own holds its workers and their PostgreSQL, too.
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._folder.cleanup()

    @property
    def _output(self) -> Path:
        return Path(self._folder.name) / "output"

    def _arguments(self) -> Sequence[str]:
        return ("--seeds", str(self.seeds), "--twice", str(self.twice), "--complete")


def _lowest_priority() -> Sequence[str]:
    return ("nice", "-n", "19") if shutil.which("nice") else ()

"""Child processes of the local system: started in their own session, stopped by process id alone."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from infra.local.errors import LocalError
from infra.local.log_files import rotate

_START_SECONDS = 90.0


class Child:
    """One long-running part (database, simulator, host) whose output goes to a log file."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        **identity: Any,
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._env = dict(env) if env is not None else None
        self._cwd = cwd
        self._identity = identity
        self._log_start = 0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Process id; raises ``RuntimeError`` before the start."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it; raises :class:`LocalError` when the system refuses."""
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        rotate(self.log)
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        try:
            with os.fdopen(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=self._env,
                    cwd=self._cwd,
                    # Ctrl-C in the terminal reaches us alone: we stop the parts, in order.
                    start_new_session=True,
                    **self._identity,
                )
        except (OSError, subprocess.SubprocessError) as error:
            raise LocalError(f"cannot start {self.name}: {error}") from error

    async def wait(self) -> int:
        """Wait for the end; returns the exit status (negative: the signal)."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return await self._process.wait()

    async def stop(self, ask: signal.Signals = signal.SIGTERM, patience: float = 10.0) -> None:
        """Ask it to end, wait up to ``patience`` seconds, then kill it; nothing when it is not running."""
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(ask)
        try:
            await asyncio.wait_for(self._process.wait(), patience)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    def log_since_start(self) -> str:
        """What it wrote since its last start."""
        try:
            with self.log.open("rb") as file:
                # A log that was rotated in between holds nothing from before its start.
                file.seek(self._log_start if self._log_start <= os.fstat(file.fileno()).st_size else 0)
                return file.read().decode(errors="replace")
        except OSError:
            return ""

    def log_tail(self, lines: int = 20) -> str:
        """The last lines it wrote since its last start."""
        return "\n".join(self.log_since_start().rstrip().splitlines()[-lines:])


async def wait_for(client: httpx.AsyncClient, child: Child, url: str) -> None:
    """Wait until ``url`` answers 200; a :class:`LocalError` says why ``child`` does not answer it."""
    deadline = asyncio.get_running_loop().time() + _START_SECONDS
    answer = "nothing"
    while True:
        with contextlib.suppress(httpx.HTTPError):
            response = await client.get(url, timeout=10)
            if response.status_code == httpx.codes.OK:
                return
            answer = f"{response.status_code} {response.text[:300]}"
        late = asyncio.get_running_loop().time() > deadline
        if late or not child.running:
            what = (
                f"was not ready in {_START_SECONDS:.0f} s ({url} answered {answer})"
                if late
                else "ended at its start"
            )
            raise LocalError(f"{child.name} {what}; log: {child.log}\n{child.log_tail()}".rstrip())
        await asyncio.sleep(0.05)


def command_line(pid: int) -> str:
    """Command line of any process, empty when there is none (a zombie counts as none)."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return ""
    except OSError:
        return ""
    found = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)],  # nosec B607 - the system's own
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip()


def leftovers(folder: Path, modules: Sequence[str]) -> list[int]:
    """Processes that run one of these modules on files below ``folder``; none where there is no ``/proc``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        # A process may end while it is looked at.
        with contextlib.suppress(OSError):
            words = entry.read_bytes().decode(errors="replace").split("\0")
            ours = any(module in words for module in modules)
            if ours and any(word.startswith(f"{folder}/") for word in words):
                found.append(int(entry.parent.name))
    return found


async def end_orphan(
    pid: int, mark: str, ask: signal.Signals = signal.SIGTERM, patience: float = 10.0
) -> bool:
    """End a process left behind by a killed predecessor; returns whether there was one.

    It is ours only if its command line contains ``mark``, a path of this system's own state: process ids are
    used again by the system.
    """
    if pid <= 1 or mark not in command_line(pid):
        return False
    deadline = asyncio.get_running_loop().time() + patience
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, ask)
    while mark in command_line(pid):
        if asyncio.get_running_loop().time() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            deadline += patience
        await asyncio.sleep(0.05)
    return True

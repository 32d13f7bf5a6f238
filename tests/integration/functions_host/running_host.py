"""Starts the Functions host as a process of its own, the way a person does, and reads what it prints."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

import httpx

ROOT = Path(__file__).parents[3]
FUNC = ROOT / "infra/local/functions_host/func"
_PATIENCE = 20.0


def write_app(folder: Path, code: str, *, host: str = '{"version": "2.0"}', settings: str = "") -> Path:
    """Writes an app folder: `function_app.py`, `host.json` and, if given, `local.settings.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "function_app.py").write_text(code)
    (folder / "host.json").write_text(host)
    if settings:
        (folder / "local.settings.json").write_text(settings)
    return folder


def host_command(*arguments: str) -> list[str]:
    """The command that starts the host in the current folder."""
    return [sys.executable, "-P", "-m", "infra.local.functions_host", "start", *arguments]


def environment(**more: str) -> dict[str, str]:
    """This process's environment, with the repository importable and `more` set."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def eventually[T](probe: Callable[[], T | None], what: str) -> T:
    """Asks `probe` until it answers something; fails with `what` after a while."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        found = probe()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}")


class RunningHost:
    """A host that serves one app; use it as a context manager, or `stop()` it."""

    def __init__(
        self,
        app: Path,
        *arguments: str,
        command: list[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.log = app.parent / f"{app.name}-{time.monotonic_ns()}.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [*(command or host_command()), "--port", "0", *arguments],
                cwd=app,
                env=environment(**(env or {})),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        started = self.wait_for(r"Host started on (http://\S+)")
        self.client = httpx.Client(base_url=started[1], timeout=_PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def output(self) -> str:
        """Everything it has printed."""
        return self.log.read_text()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Waits until it has printed something that `pattern` finds."""

        def probe() -> re.Match[str] | None:
            found = re.search(pattern, self.output)
            if found is None and self.process.poll() is not None:
                raise AssertionError(f"the host ended ({self.process.returncode}):\n{self.output}")
            return found

        try:
            return eventually(probe, f"{pattern!r} in the output")
        except AssertionError as error:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{error}\n{self.output}") from None

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Asks it to end and returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        if hasattr(self, "client"):
            self.client.close()
        try:
            return self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def refusal(app: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """What the host prints when it must not start; fails if it starts or ends with status 0."""
    ended = subprocess.run(
        host_command("--port", "0", *arguments),
        cwd=app,
        env=environment(**(env or {})),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    assert ended.returncode == 1, ended.stdout
    return ended.stdout

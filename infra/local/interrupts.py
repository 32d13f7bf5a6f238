"""Ctrl-C: whatever runs ends in order, and no traceback is shown, at whatever moment it comes.

``./dev`` holds SIGINT back while Python starts. ``guarded`` lets it through again once somebody catches it.
``python -m infra.local.interrupts MODULE ARGUMENTS`` runs a module in the same way, for our own children.
"""

import asyncio
import contextlib
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

#: Exit status of what Ctrl-C ended, as shells have it.
INTERRUPTED = 130

#: Two signals within this time are one Ctrl-C: the terminal sends it to us and to our children, and so do we.
_ONE_CTRL_C_SECONDS = 2.0
#: What ``./dev`` says when it could only ignore SIGINT.
_IGNORED = "DEV_INTERRUPTS"


def guarded(main: Callable[[], int]) -> int:
    """The status of ``main``, or 130 after Ctrl-C; nothing is printed for that.

    Call it last in a process: afterwards a further Ctrl-C ends the process at once.
    """
    try:
        _let_through()
        return main()
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        # What the interpreter does at its end shows tracebacks of its own.
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of ours, or a tool, in a child that Ctrl-C ends without a traceback."""
    return [sys.executable, "-m", "infra.local.interrupts", module, *arguments]


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Hold SIGINT back in this thread, and in what it starts inside the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run(command: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdout: Any = None) -> int:
    """Run a command of ``python``; its status, or 130 after Ctrl-C.

    After Ctrl-C the child gets the time that it needs to end in order. ``subprocess.run`` would kill it.
    """
    with held():
        child = subprocess.Popen(command, cwd=cwd, env=dict(env), stdout=stdout)
    interrupted = False
    while True:
        try:
            status = child.wait()
        except KeyboardInterrupt:
            interrupted = True
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(signal.SIGINT)
        else:
            return INTERRUPTED if interrupted or status == -signal.SIGINT else status


async def ended_by_signals(work: Awaitable[int]) -> int:
    """Let SIGINT, SIGTERM and SIGHUP cancel the work, once, so that it ends in order; its status, or 130.

    A second Ctrl-C does not cut the orderly end short.
    """
    task = asyncio.ensure_future(work)
    came: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        if not came:
            print("\ndev: stopping", file=sys.stderr, flush=True)
            task.cancel()
        came.append(number)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not came:
            raise
        return INTERRUPTED


def _let_through() -> None:
    sys.excepthook = _silent_about_interrupts
    unraisable = sys.unraisablehook

    def told(event: "sys.UnraisableHookArgs") -> None:
        if event.exc_type is not KeyboardInterrupt:
            unraisable(event)

    sys.unraisablehook = told
    if os.environ.pop(_IGNORED, ""):
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _silent_about_interrupts(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)


def _once() -> Callable[[int, FrameType | None], None]:
    last = -_ONE_CTRL_C_SECONDS

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if last - before > _ONE_CTRL_C_SECONDS:
            raise KeyboardInterrupt

    return interrupt


def _run_module(module: str, arguments: Sequence[str]) -> int:
    signal.signal(signal.SIGINT, _once())
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        print(ended.code, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(guarded(lambda: _run_module(sys.argv[1], sys.argv[2:])))

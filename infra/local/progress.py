"""Progress on stderr that is never silent for long: what takes a while is told again."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

#: After so long without a word the last one is said again.
SILENT_SECONDS = 1.5
_LOOK_SECONDS = 0.25


class Progress:
    """Tells what is being done, with the seconds since it was made.

    While ``speaking``, a thread repeats the last text, even where the program is blocked.
    """

    def __init__(self, file: TextIO | None = None, silent_seconds: float = SILENT_SECONDS) -> None:
        self._file = file or sys.stderr
        self._silent_seconds = silent_seconds
        self._lock = threading.Lock()
        self._started = self._told = time.monotonic()
        self._text = ""

    def __call__(self, text: str) -> None:
        """Tell what is done now."""
        with self._lock:
            self._text = text
            self._print(text)

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Repeats the last text while the block takes long."""
        over = threading.Event()
        thread = threading.Thread(target=self._repeat, args=(over,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _repeat(self, over: threading.Event) -> None:
        while not over.wait(min(_LOOK_SECONDS, self._silent_seconds)):
            with self._lock:
                if self._text and time.monotonic() - self._told >= self._silent_seconds:
                    self._print(f"{self._text} …")

    def _print(self, text: str) -> None:
        self._told = time.monotonic()
        try:
            print(f"dev: {self._told - self._started:5.1f} s  {text}", file=self._file, flush=True)
        except UnicodeEncodeError:
            print(f"dev: {self._told - self._started:5.1f} s  {text!a}", file=self._file, flush=True)

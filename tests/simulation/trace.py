"""What happened in a world, step by step, as one hash: two runs of a seed must have the same."""

import hashlib
from collections.abc import Callable
from pathlib import Path


class Trace:
    """Takes every step in order. With a ``file`` the steps are written there, to find where two runs part."""

    def __init__(self, file: Path | None = None) -> None:
        self._hash = hashlib.sha256()
        self._lines = file.open("w") if file is not None else None
        self.now: Callable[[], float] = lambda: 0.0

    def add(self, kind: str, *parts: str | bytes) -> None:
        """One step at the present virtual time."""
        step = [f"\n{self.now():.9f} {kind}".encode()]
        step += [part.encode() if isinstance(part, str) else part for part in parts]
        self._hash.update(b"\0".join(step))
        if self._lines is not None:
            told = " | ".join(part if isinstance(part, str) else repr(part)[2:-1] for part in parts)
            self._lines.write(f"{self.now():.9f} {kind} {told}\n")

    def end(self) -> str:
        """The hash of all steps, 16 hexadecimal digits; nothing is added afterwards."""
        if self._lines is not None:
            self._lines.close()
            self._lines = None
        return self._hash.hexdigest()[:16]

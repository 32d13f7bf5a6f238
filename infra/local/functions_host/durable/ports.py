"""The ports of the engine's clients. They are the same after a restart, so clients can continue."""

import contextlib
import json
from pathlib import Path


class RememberedPorts:
    """Port by `defaultVersion` of the hosts it is for, kept in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ports: dict[str, int] = {}
        # Without it the clients are told other ports.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            self._ports = {str(version): int(port) for version, port in json.loads(path.read_text()).items()}

    def get(self, version: str | None) -> int:
        """The port it had; 0, any, if it had none."""
        return self._ports.get(version or "", 0)

    def keep(self, version: str | None, port: int) -> None:
        """Remembers the port; a file that cannot be written is no reason to stop."""
        if self._ports.get(version or "") == port:
            return
        self._ports[version or ""] = port
        temporary = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps(self._ports))
            temporary.replace(self._path)

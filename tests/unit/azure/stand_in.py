"""Executables that replace ``az`` and ``azd``: first on PATH, they record calls and answer them.

They are started like the real ones, so they get what a shell would pass.
"""

import json
import sys
from pathlib import Path
from typing import Any

_FOLDER_OF = """#!{python}
import json, sys
from pathlib import Path
folder = Path({folder!r})
arguments = sys.argv[1:]
call = {{"tool": {tool!r}, "arguments": arguments}}
with (folder / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps(call) + "\\n")
def value(option, default=""):
    return arguments[arguments.index(option) + 1] if option in arguments else default
"""


class StandIn:
    """A folder with executables, their calls, and what they keep between calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)

    def install(self, tool: str, program: str) -> None:
        """Make one; ``program`` is Python that finds ``folder``, ``arguments`` and ``value(option)``."""
        path = self.bin / tool
        head = _FOLDER_OF.format(python=sys.executable, folder=str(self.folder), tool=tool)
        path.write_text(head + program, encoding="utf-8")
        path.chmod(0o755)

    def calls(self) -> list[list[str]]:
        """Every call so far: the tool, then its arguments."""
        try:
            lines = (self.folder / "calls.jsonl").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        loaded: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [[call["tool"], *call["arguments"]] for call in loaded]

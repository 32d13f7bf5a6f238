"""Pages whose commands are run: each block of commands, and what it prints."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from infra.local.stack import ROOT, Stack

_BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:^```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
_MARK = "\x1e"


@dataclass(frozen=True, slots=True)
class Block:
    """Commands of a page, and the output that the page promises."""

    commands: str
    promised: str


def blocks_of(name: str) -> list[Block]:
    """The blocks of a page below ``docs``, in order."""
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    return [Block(commands, promised) for commands, promised in _BLOCK.findall(text)]


def printed(name: str, stack: Stack, folder: Path, python: str) -> list[tuple[Block, str]]:
    """Run a page in one shell against a running system; what each block printed beside what it promised.

    Raises AssertionError with the output at the first command that fails. The page's addresses are those of
    ``./dev run``; here they are those of the system. ``./dev`` looks for a system in this checkout.
    """
    dev = folder / "dev"
    dev.write_text(
        f'#!/bin/sh\n[ "$1" != token ] || set -- "$@" --state "{stack.state_dir}"\n'
        f'PYTHONPATH="{ROOT}" exec "{python}" -P -m infra.local "$@"\n'
    )
    dev.chmod(0o755)
    blocks = blocks_of(name)
    script = "set -eu\n" + f"printf '{_MARK}'\n".join(f"{block.commands}\n" for block in blocks)
    script = script.replace(":7071", f":{stack.port}").replace(":7072", f":{stack.simulator_port}")
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return list(zip(blocks, done.stdout.split(_MARK), strict=True))

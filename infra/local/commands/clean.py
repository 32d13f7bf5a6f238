"""``./dev clean``: delete the state of the local system."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.local.stack import ROOT
from infra.local.state_folder import FolderLock, delete_state


def run(arguments: Sequence[str]) -> int:
    """Delete the state folder; refuses while a system runs on it or when it is no state folder."""
    parser = argparse.ArgumentParser(prog="./dev clean", allow_abbrev=False)
    parser.add_argument("--state", type=Path, default=ROOT / ".local", help="folder to delete (.local)")
    state: Path = parser.parse_args(arguments).state.resolve()
    if not state.exists():
        print("nothing to delete", file=sys.stderr)
        return 0
    if not any((state / name).exists() for name in ("lock", "logs", "postgres")) and any(state.iterdir()):
        print(f"dev: {state} is not the state of a local system; not deleted", file=sys.stderr)
        return 1
    with FolderLock(state / "lock", f"a system runs on {state}; stop it first"):
        delete_state(state)
    print(f"deleted {state}", file=sys.stderr)
    return 0

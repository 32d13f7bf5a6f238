"""``./dev package``: the zip that is deployed, with its list of parts (SBOM) and of licences."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from infra.local.stack import ROOT


def run(arguments: Sequence[str]) -> int:
    """Build it below ``dist``; the same checkout gives the same bytes each time."""
    parser = argparse.ArgumentParser(prog="./dev package", allow_abbrev=False)
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="where to (dist)")
    parser.add_argument("--relock", action="store_true", help="write the lock of dependencies again first")
    given = parser.parse_args(arguments)
    # Only here: they load what only a package needs.
    from infra.local.azure import bill_of_materials, package

    def say(what: str) -> None:
        print(f"dev: {what}", file=sys.stderr, flush=True)

    started = time.monotonic()
    if given.relock:
        say("locking the dependencies")
        package.relock()
    built = package.build(given.output, say=say)
    say("listing parts and licences")
    written = bill_of_materials.write(built, given.output)
    say(f"{built.size / 1e6:.1f} MB in {time.monotonic() - started:.0f} s, sha256 {built.sha256}")
    print(built.archive)
    for path in written:
        print(path)
    return 0

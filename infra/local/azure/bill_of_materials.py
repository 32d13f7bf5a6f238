"""What is in a package, by name, version and hash (CycloneDX), and under which licence."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from infra.local.azure.bytecode import DEPENDENCIES
from infra.local.azure.package import LOCK, Package, locked
from infra.local.errors import LocalError

_SECONDS = 300


def write(package: Package, folder: Path) -> tuple[Path, Path]:
    """Write both beside the package; returns their paths. Raises LocalError when a tool fails."""
    parts = folder / f"{package.archive.stem}.sbom.json"
    licences = folder / f"{package.archive.stem}.licences.json"
    scripts = Path(sys.executable).parent
    options = ["--output-reproducible", "--of", "JSON", "-o", str(parts)]
    _run([str(scripts / "cyclonedx-py"), "requirements", *options, str(LOCK)])
    licences.write_text(
        json.dumps(_licences(package.folder / DEPENDENCIES), indent=2) + "\n", encoding="utf-8"
    )
    return parts, licences


def _licences(packages: Path) -> list[dict[str, Any]]:
    # Asked of the package itself, not of the environment that builds it.
    script = (
        "import sys, piplicenses\n"
        "target = sys.argv.pop(1)\n"
        "sys.path[:] = [each for each in sys.path if 'site-packages' not in each] + [target]\n"
        "piplicenses.main()"
    )
    told = _run(
        [sys.executable, "-c", script, str(packages), "--format", "json", "--with-urls", "--with-system"]
    )
    listed: list[dict[str, Any]] = json.loads(told)
    names = {entry["Name"].lower().replace("_", "-").replace(".", "-") for entry in listed}
    absent = {name.replace(".", "-") for name in locked()} - names
    if absent:
        raise LocalError(f"no licence is told of {', '.join(sorted(absent))}")
    return sorted(listed, key=lambda entry: str(entry["Name"]).lower())


def _run(command: list[str]) -> str:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS, env=env)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise LocalError(f"{Path(command[0]).name} failed: {said[-1] if said else 'no output'}")
    return done.stdout

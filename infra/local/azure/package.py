"""The package that is deployed: the app with all its dependencies, the same bytes each time.

Nothing is built in Azure, because a build there has used another Python than the app's (azure-dev 8538). So
the package has ``.python_packages/lib/site-packages`` with wheels for Linux x86-64 and Python 3.13. Its
bytecode is not compared with the sources (``unchecked-hash``), because a file's time means nothing in a zip.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.local.azure import probe, reachability, revisions
from infra.local.azure.bytecode import DEPENDENCIES
from infra.local.azure.pruning import prune, strip_symbols
from infra.local.errors import LocalError
from infra.local.stack import ROOT

LOCK = ROOT / "infra" / "azure" / "requirements.lock"
PACKING_LOCK = ROOT / "infra" / "azure" / "packing.lock"
#: What a package may weigh, compressed. Most of it are extension modules (grpc, cryptography, pydantic-core).
MOST_BYTES = 25_000_000
_PLATFORM = ["--python-platform", "x86_64-manylinux_2_28", "--python-version", "3.13"]
_APP = ("function_app.py", "host.json", "shared", "requirements.txt", "LICENSE")
_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a package says of itself; stands in it as ``build.json`` and beside it."""

    version: str
    commit: str
    #: The newest migration, and the oldest one whose code still works on that schema.
    schema_revision: str
    minimum_schema_revision: str
    #: The version of new orchestrations. Those of this and of any older version continue.
    orchestration_versions: tuple[str, ...]
    python: str = "3.13"


@dataclass(frozen=True, slots=True)
class Package:
    """A built package; ``folder`` holds the same files unpacked."""

    archive: Path
    folder: Path
    manifest: Manifest
    sha256: str
    size: int


def build(target: Path, *, root: Path = ROOT, say: Callable[[str], None] = print) -> Package:
    """Build the package of a checkout below ``target``: ``package/``, the zip, its manifest.

    Raises LocalError: a dependency cannot be had, or the zip is too large.
    """
    if sys.version_info[:2] != (3, 13):
        raise LocalError(f"the package needs bytecode of Python 3.13, this is {sys.version.split()[0]}")
    folder = target / "package"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    manifest = _manifest(root)
    say("installing the locked dependencies")
    _install(folder / DEPENDENCIES, root / LOCK.relative_to(ROOT))
    _copy_app(root, folder)
    prune(folder / DEPENDENCIES)
    say("leaving out what nothing imports")
    app = [folder / "function_app.py", *(folder / "shared").rglob("*.py")]
    # The local host runs in one process with the app, so it takes what it needs from the package, too.
    host = (root / "infra" / "local" / "functions_host").rglob("*.py")
    for path in reachability.unreached(folder / DEPENDENCIES, [*app, *host]):
        path.unlink()
    imported = probe.imported(app)
    strip_symbols(folder / DEPENDENCIES)
    (folder / "build.json").write_text(json.dumps(asdict(manifest), indent=2) + "\n", encoding="utf-8")
    say("compiling bytecode")
    _compile(folder)
    if probe.check(folder, imported):
        probe.check_description(folder, root)
        say("every module that the app imports is in it")
    archive = target / f"admin-assistant-{manifest.version}-{manifest.commit[:12] or 'unknown'}.zip"
    say("packing")
    _pack(folder, archive)
    (target / f"{archive.stem}.json").write_text(
        json.dumps(asdict(manifest), indent=2) + "\n", encoding="utf-8"
    )
    size = archive.stat().st_size
    if size > MOST_BYTES:
        raise LocalError(f"the package has {size / 1e6:.1f} MB, more than {MOST_BYTES / 1e6:.1f}")
    return Package(archive, folder, manifest, hashlib.sha256(archive.read_bytes()).hexdigest(), size)


def relock(root: Path = ROOT) -> None:
    """Write the lock again from ``requirements.txt``, with the versions that the tests use."""
    frozen = _run([sys.executable, "-m", "pip", "freeze", "--disable-pip-version-check"], root)
    constraints = "\n".join(line for line in frozen.splitlines() if "==" in line)
    given = ["requirements.txt", "--constraint", "-", "--output-file", str(root / LOCK.relative_to(ROOT))]
    options = ["--generate-hashes", "--no-header", "--no-annotate", "--quiet"]
    _run([_tool("uv"), "pip", "compile", *given, *options, *_PLATFORM], root, constraints)


def locked(path: Path = LOCK) -> dict[str, str]:
    """Name and version of everything in the lock."""
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE))


def _manifest(root: Path) -> Manifest:
    chain = revisions.chain(root / "shared" / "database" / "migrations" / "versions")
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "([^"]+)"', text, re.MULTILINE)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"],  # nosec B607 - the developer's own git
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    ).stdout.strip()
    return Manifest(
        version=version.group(1) if version else "0",
        commit=commit,
        schema_revision=chain[-1].revision,
        minimum_schema_revision=revisions.served_since(chain),
        orchestration_versions=(orchestration_version(root / "host.json"),),
    )


def orchestration_version(host: Path) -> str:
    """The version of new orchestrations (``defaultVersion``). Older ones continue (``CurrentOrOlder``).

    Raises LocalError for a host.json without a version or with another way to match.
    """
    options = json.loads(host.read_text(encoding="utf-8"))["extensions"]["durableTask"]
    if not options.get("defaultVersion") or options.get("versionMatchStrategy") != "CurrentOrOlder":
        raise LocalError(f"{host.name}: durableTask needs defaultVersion, matched by CurrentOrOlder")
    return str(options["defaultVersion"])


def _install(target: Path, lock: Path) -> None:
    options = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--link-mode", "copy", "--quiet"]
    _run(
        [_tool("uv"), "pip", "install", *options, *_PLATFORM, "--target", str(target), "-r", str(lock)], ROOT
    )


def _copy_app(root: Path, folder: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "*.py[cod]")
    for name in _APP:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copyfile(source, folder / name)


def _compile(folder: Path) -> None:
    options = ["-P", "-X", "no_debug_ranges", "-m", "infra.local.azure.bytecode"]
    _run([sys.executable, *options, str(folder)], ROOT, env={"PYTHONPATH": str(ROOT)})


def _pack(folder: Path, archive: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="admin-assistant-packing-") as compressor:
        options = ["--require-hashes", "--only-binary", ":all:", "--link-mode", "copy", "--quiet"]
        _run([_tool("uv"), "pip", "install", *options, "--target", compressor, "-r", str(PACKING_LOCK)], ROOT)
        env = {"PYTHONPATH": f"{ROOT}{os.pathsep}{compressor}"}
        _run(
            [sys.executable, "-P", "-m", "infra.local.azure.packing", str(folder), str(archive)],
            ROOT,
            env=env,
        )


def _tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _run(
    command: list[str], folder: Path, given: str | None = None, env: Mapping[str, str] | None = None
) -> str:
    cleaned = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command,
        cwd=folder,
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
        env={**cleaned, **(env or {})},
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise LocalError(f"{Path(command[0]).name} failed: {said[-1] if said else 'no output'}")
    return done.stdout

"""``./dev accept``: run the acceptance points and say what each measured."""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.local import app_instances, environment, interrupts
from infra.local.report import table
from infra.local.schema import SCHEMA_FROM
from infra.local.stack import ROOT

_NOTHING_COLLECTED = 5


def run(arguments: Sequence[str]) -> int:
    """Exit status 0 only if every point that ran is kept; a point that could not run is not."""
    parser = argparse.ArgumentParser(prog="./dev accept", allow_abbrev=False)
    parser.add_argument("--only", action="append", default=[], metavar="ID", help="only this; repeatable")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument(
        "--instances",
        type=_instances,
        metavar="GROUPS",
        help="the app on several instances, as for ./dev run; only the points that this concerns",
    )
    parser.add_argument(
        "--schema-of",
        type=Path,
        metavar="PACKAGE",
        help="on the schema of another version, given as its package: this version must work on it, too",
    )
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        env = {app_instances.SETTING: given.instances} if given.instances is not None else {}
        if given.schema_of is not None:
            env[SCHEMA_FROM] = str(_unpacked(given.schema_of, Path(folder) / "schema"))
        results = Path(folder) / "results.jsonl"
        results.touch()
        status = _pytest(given.only, quick=given.quick, results=results, env=env)
        points = _merged(results)
    if status == _NOTHING_COLLECTED:
        names = f" named {', '.join(given.only)}" if given.only else ""
        concerned = " that concerns several instances" if given.instances else ""
        print(f"dev: there is no acceptance point{names}{concerned}", file=sys.stderr)
        return 1
    print(json.dumps({"points": points}, ensure_ascii=False) if given.json else _as_table(points), flush=True)
    kept = bool(points) and all(point["ok"] for point in points)
    return 0 if kept and status == 0 else 1


def _pytest(only: Sequence[str], *, quick: bool, results: Path, env: Mapping[str, str]) -> int:
    command = interrupts.python("pytest", "tests/acceptance", "--tb=short")
    command += [part for name in only for part in ("--point", name)]
    command += ["--quick"] if quick else []
    given = environment.cleaned() | {"ACCEPTANCE_RESULTS": str(results)} | dict(env)
    given |= {name: os.environ[name] for name in ("DATABASE_URL", "DATABASE_OWNER_URL") if name in os.environ}
    # What pytest says goes beside the table, not into it.
    return interrupts.run(command, cwd=ROOT, env=given, stdout=sys.stderr)


def _unpacked(package: Path, folder: Path) -> Path:
    # Only here: they load what only a package needs.
    from infra.local.deployment.artefacts import Artefact
    from infra.local.deployment.unpacking import unpack

    artefact = Artefact.read(package)
    print(f"dev: on the schema {artefact.schema_revision} of {artefact.name}", file=sys.stderr, flush=True)
    unpack(package, folder)
    return folder


def _instances(text: str) -> str:
    try:
        app_instances.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _merged(results: Path) -> list[dict[str, Any]]:
    """One entry for each point, in order; an error after the test itself counts against it."""
    points: dict[str, dict[str, Any]] = {}
    for line in results.read_text(encoding="utf-8").splitlines():
        point = json.loads(line)
        ok = point["ok"] and points.get(point["id"], point)["ok"]
        if point.pop("skipped"):
            point["measured"] = point["measured"] or "skipped"
        points[point["id"]] = point | {"ok": ok}
    return list(points.values())


def _as_table(points: Sequence[dict[str, Any]]) -> str:
    rows = [
        [point["id"], point["what"], point["measured"], point["bound"], "yes" if point["ok"] else "NO"]
        for point in points
    ]
    return table(["id", "what", "measured", "bound", "ok"], rows, left=5)

"""``./dev accept``: run the acceptance points and say what each measured."""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra.local import app_instances, environment, interrupts
from infra.local.report import table
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
        help="the app on several instances, as for ./dev run",
    )
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.jsonl"
        results.touch()
        status = _pytest(given.only, quick=given.quick, results=results, instances=given.instances)
        points = _merged(results)
    if status == _NOTHING_COLLECTED:
        names = f" named {', '.join(given.only)}" if given.only else ""
        print(f"dev: there is no acceptance point{names}", file=sys.stderr)
        return 1
    print(json.dumps({"points": points}, ensure_ascii=False) if given.json else _as_table(points), flush=True)
    kept = bool(points) and all(point["ok"] for point in points)
    return 0 if kept and status == 0 else 1


def _pytest(only: Sequence[str], *, quick: bool, results: Path, instances: str | None) -> int:
    command = interrupts.python("pytest", "tests/acceptance", "--tb=short")
    command += [part for name in only for part in ("--point", name)]
    command += ["--quick"] if quick else []
    env = environment.cleaned() | {"ACCEPTANCE_RESULTS": str(results)}
    env |= {name: os.environ[name] for name in ("DATABASE_URL", "DATABASE_OWNER_URL") if name in os.environ}
    if instances is not None:
        env[app_instances.SETTING] = instances
    # What pytest says goes beside the table, not into it.
    return interrupts.run(command, cwd=ROOT, env=env, stdout=sys.stderr)


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

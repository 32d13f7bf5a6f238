"""``./dev accept``: the points, what each measured, and an exit status that can be relied on."""

import json
import subprocess
import sys

import pytest

from infra.local.stack import ROOT

POINT = "a-taken-port-is-one-line"


def accept(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as ``./dev`` does."""
    return subprocess.run(
        [sys.executable, "-m", "infra.local", "accept", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.slow
def test_a_point_tells_what_it_measured_against_which_bound() -> None:
    done = accept("--only", POINT, "--json")
    assert done.returncode == 0, done.stderr
    (point,) = json.loads(done.stdout)["points"]
    assert list(point) == ["id", "what", "measured", "bound", "ok"]
    assert (point["id"], point["ok"]) == (POINT, True)
    assert point["what"]
    assert point["measured"]
    assert point["bound"]


@pytest.mark.slow
def test_a_point_that_does_not_exist_is_an_error() -> None:
    done = accept("--only", "nothing-of-the-kind")
    assert done.returncode != 0
    assert "nothing-of-the-kind" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_point_that_does_not_concern_instances_is_left_out() -> None:
    done = accept("--only", "due-jobs-are-claimed-in-batches", "--instances", "3")
    assert done.returncode != 0
    assert "no acceptance point named due-jobs-are-claimed-in-batches that concerns several" in done.stderr

"""What runs in Azure is what is tested here."""

import json
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_azure_runs_the_worker_that_is_tested_here() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()

    assert f"azure-functions-runtime=={version('azure-functions-runtime')}" in lines


def test_orchestrations_of_a_newer_version_are_left_to_newer_hosts() -> None:
    durable = json.loads((ROOT / "host.json").read_text())["extensions"]["durableTask"]

    assert durable["defaultVersion"]
    assert (durable["versionMatchStrategy"], durable["versionFailureStrategy"]) == (
        "CurrentOrOlder",
        "Reject",
    )

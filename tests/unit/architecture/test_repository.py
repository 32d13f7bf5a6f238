"""What a person who opens the repository relies on."""

import re
from pathlib import Path

from infra.local.commands import _COMMANDS, check

ROOT = Path(__file__).parents[3]


def test_continuous_integration_runs_every_check_and_then_the_product_once() -> None:
    lines = [
        line
        for line in (ROOT / ".ci" / "run").read_text().splitlines()
        if re.match(r"\./dev (test|run)", line)
    ]
    assert lines[0] == "./dev test"
    assert lines[1].startswith("./dev run --once")
    assert len(lines) == 2


def test_every_test_run_checks_lint_format_types_and_coverage() -> None:
    assert [name for name, _ in check._CHECKS] == ["lint", "format", "types"]
    whole = " ".join(check._pytest_arguments([], fast=False))
    assert "--cov=shared" in whole
    bound = re.search(r"--cov-fail-under=(\d+)", whole)
    assert bound is not None
    assert int(bound.group(1)) >= 90


def test_the_readme_names_commands_that_exist_and_the_pre_releases() -> None:
    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"\./dev ([a-z-]+)", text))
    assert {"run", "test", "accept", "bench"} <= named
    assert named <= set(_COMMANDS), named - set(_COMMANDS)
    assert "## Pre-releases" in text


def test_the_licence_is_mit() -> None:
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert 'license = "MIT"' in (ROOT / "pyproject.toml").read_text()

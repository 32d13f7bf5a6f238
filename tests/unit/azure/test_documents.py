"""The pages for who deploys and who is on call name only what exists."""

import re
from pathlib import Path

import pytest

import function_app  # noqa: F401 - declares the operations
from infra.local.commands import _COMMANDS
from infra.local.stack import ROOT
from shared.triggers.http.registry import OPERATIONS

PAGES = [
    path
    for path in sorted((ROOT / "docs").glob("*.md"))
    if path.stem in {"deployment", "runbook", "cost", "disaster-recovery"}
]

#: What runs each command that the pages do not mark as needing Azure: a test, and what stands in it.
RUN_BY = {
    "./dev check-infra": ("tests/unit/azure/test_infrastructure.py", "check_infra.run("),
    "./dev package": ("tests/acceptance/test_deployment.py", "package.build("),
    "./dev accept --only a-deployment": ("tests/acceptance/test_deployment.py", "Deployment("),
    "./dev accept --only a-restored": ("tests/acceptance/test_disaster_recovery.py", "restore("),
    "./dev accept --quick --schema-of": ("tests/acceptance/test_deployment.py", '"--schema-of"'),
    "./dev uat": ("tests/acceptance/test_scenarios.py", "uat.run("),
    "./dev run": ("tests/acceptance/test_one_command.py", '"run"'),
}
_COMMAND = re.compile(
    r"`((?:\./dev|az|azd|curl|psql|select) [^`]*|(?:\S+ )*infra/azure/\S+\.(?:sh|ps1)[^`]*)`"
)


def _shape(route: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", route.strip("/"))


SERVED = {
    (method, _shape(f"api/{operation.route}"))
    for operation in OPERATIONS.values()
    for method in (operation.method, *operation.also)
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.stem))
def test_a_page_names_operations_and_commands_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for method, route in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/api/[^`? ]+)", text):
        assert (method, _shape(route)) in SERVED, f"{method} {route}"
    for command in re.findall(r"\./dev ([a-z][a-z-]*)", text):
        assert command in _COMMANDS, command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.stem))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+\.md)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).is_file(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.stem))
def test_a_command_is_run_by_a_test_or_marked_as_needing_azure(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if "`[Azure]`" not in line]
    for command in _COMMAND.findall("\n".join(lines)):
        test, holds = next((by for name, by in RUN_BY.items() if command.startswith(name)), ("", ""))
        assert test, f"{command}: not marked, and no test runs it"
        assert holds in (ROOT / test).read_text(encoding="utf-8"), command
    for before, block in re.findall(r"([^\n]*)\n\n *```(?:sh|kusto)\n(.*?)```", text, re.DOTALL):
        assert "`[Azure]`" in before, block


def test_points_that_pages_name_exist() -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "acceptance").glob("test_*.py"))
    for page in PAGES:
        for point in re.findall(r"accept --only ([a-z0-9-]+)", page.read_text(encoding="utf-8")):
            assert f"def test_{point.replace('-', '_')}(" in tests, point

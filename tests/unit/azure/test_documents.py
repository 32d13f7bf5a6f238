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

"""The tutorial and the page of the simulator name what exists; tests/acceptance/test_pages.py runs them."""

import re

import pytest

import function_app  # noqa: F401 - declares the operations
from infra.local.commands import _COMMANDS
from infra.local.graph_simulator.admin_index import ROUTES
from shared.triggers.http.registry import OPERATIONS
from tests.support.pages import blocks_of

PAGES = ("tutorial.md", "simulator.md")
#: What a page puts in front of a path, and which paths there are behind it.
BASES = {
    "$API": {f"/{operation.route.removeprefix('v1/')}" for operation in OPERATIONS.values()},
    "$ADMIN": {route.path for route in ROUTES},
    "$SIMULATOR": {route.path for route in ROUTES},
    "$NORA": {route.path.partition("}")[2] for route in ROUTES if route.path.startswith("/mailboxes/{")},
    "$KIM": {route.path.partition("}")[2] for route in ROUTES if route.path.startswith("/mailboxes/{")},
}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_operations_and_commands_that_exist(page: str) -> None:
    text = "".join(block.commands for block in blocks_of(page))
    found = re.findall(r"(\$[A-Z]+)(/[^\s\"'?]+)", text)
    paths = [(base, path) for base, path in found if base in BASES and "/v1.0/" not in path]
    assert len(paths) > 8
    for base, path in paths:
        if base == "$SIMULATOR" and not path.startswith("/mailboxes"):
            continue
        assert any(re.fullmatch(_pattern(route), path) for route in BASES[base]), (base, path)
    for command in re.findall(r"\./dev ([a-z][a-z-]*)", text):
        assert command in _COMMANDS


def test_what_no_page_would_name_is_found() -> None:
    assert not any(re.fullmatch(_pattern(route), "/archive-runs/$RUN/nothing") for route in BASES["$API"])


@pytest.mark.parametrize("page", PAGES)
def test_a_page_promises_what_its_commands_print(page: str) -> None:
    assert sum(bool(block.promised) for block in blocks_of(page)) >= 5


def _pattern(route: str) -> str:
    return "/".join("[^/]+" if "{" in part else re.escape(part) for part in route.split("/"))

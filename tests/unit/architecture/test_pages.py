"""The tutorial and the page of the simulator name what exists; tests/acceptance/test_pages.py runs them."""

import re

import pytest

import function_app  # noqa: F401 - declares the operations
from infra.local.commands import _COMMANDS
from infra.local.graph_simulator.control.admin_index import ROUTES
from shared.triggers.http.registry import OPERATIONS
from tests.support.pages import blocks_of

PAGES = ("tutorial.md", "simulator.md")
#: What a page puts in front of a path, and which paths there are behind it.
BASES = {
    "$API": {
        f"/{operation.route.removeprefix('v1/')}"
        for operation in OPERATIONS.values()
        if operation.is_described
    },
    "$ADMIN": {route.path for route in ROUTES},
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
        assert served(base, path), (base, path)
    for command in re.findall(r"\./dev ([a-z][a-z-]*)", text):
        assert command in _COMMANDS


def test_what_no_page_would_name_is_found() -> None:
    assert not served("$API", "/archive-runs/$RUN/nothing")
    assert not served("$API", "/archive-run")
    assert not served("$ADMIN", "/mailboxes/kim@example.com/outbox")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_promises_what_its_commands_print(page: str) -> None:
    assert sum(bool(block.promised) for block in blocks_of(page)) >= 5


def served(base: str, path: str) -> bool:
    """Whether a path, or one that begins with it, is served: pages name the beginnings of paths, too."""
    parts = path.split("/")
    return any(_begins(route.split("/"), parts) for route in BASES[base])


def _begins(route: list[str], parts: list[str]) -> bool:
    pairs = zip(route, parts, strict=False)
    return len(route) >= len(parts) and all("{" in wanted or wanted == part for wanted, part in pairs)

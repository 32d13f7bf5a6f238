"""Imports run downward only (design.md): the way through the house is one way."""

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

# From the roof to the ground. A module may import from its own floor and from those below.
FLOORS = [
    ("function_app",),
    ("shared.triggers",),
    ("shared.application",),
    ("shared.composition",),
    ("shared.services",),
    ("shared.schemas",),
    ("shared.database", "shared.graph", "shared.storage", "shared.blob_container"),
    ("shared.clock", "shared.telemetry", "shared.credential", "shared.local_authority", "shared.usage"),
    ("shared.settings",),
    ("shared.domain",),
    ("shared.errors",),
]
HEAVY = ("msgraph", "openai", "alembic", "azure.monitor", "azure.storage", "obstore", "azure.identity", "jwt")
PURE_ALLOWED_PREFIXES = ("shared.domain", "shared.errors")
IMPURE = ("os", "asyncio", "httpx", "aiohttp", "sqlalchemy", "azure", "time", "random", "logging", "pathlib")


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the product by name."""
    yield "function_app", ROOT / "function_app.py"
    for path in sorted((ROOT / "shared").rglob("*.py")):
        yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


def imports_of(path: Path, *, module_level: bool = False) -> Iterator[str]:
    """Absolute names a file imports; with ``module_level`` only those that run when it is imported."""
    tree = ast.parse(path.read_text())
    nodes = _executed_at_import(tree) if module_level else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} imports relatively"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _executed_at_import(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        yield from _executed_at_import(node)


def floor_of(name: str) -> int | None:
    """On which floor a module lives; None for what is not ours."""
    for number, prefixes in enumerate(FLOORS):
        if any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes):
            return number
    return None


@pytest.mark.parametrize(
    ("name", "path"), list(modules()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_module_imports_only_from_its_own_floor_and_below(name: str, path: Path) -> None:
    own = floor_of(name)
    if own is None:
        assert name == "shared", f"{name} stands on no floor"
        return
    above = {
        imported for imported in imports_of(path) if (floor := floor_of(imported)) is not None and floor < own
    }
    assert not above


def test_the_database_and_graph_do_not_know_each_other() -> None:
    for name, path in modules():
        if name.startswith("shared.database"):
            assert not [i for i in imports_of(path) if i.startswith("shared.graph")], name
        if name.startswith("shared.graph"):
            assert not [i for i in imports_of(path) if i.startswith("shared.database")], name


def test_the_public_contract_loads_without_database_and_graph() -> None:
    for name, path in modules():
        if name.startswith("shared.schemas"):
            loaded = imports_of(path, module_level=True)
            assert not [
                i for i in loaded if i.startswith(("shared.database", "shared.graph", "sqlalchemy"))
            ], name


def test_the_domain_is_pure() -> None:
    for name, path in modules():
        if not name.startswith("shared.domain"):
            continue
        for imported in imports_of(path):
            assert imported.split(".")[0] not in IMPURE, f"{name} imports {imported}"
            if imported.startswith("shared"):
                assert imported == "shared" or imported.startswith(PURE_ALLOWED_PREFIXES), (
                    f"{name}: {imported}"
                )


def test_sql_lives_in_the_database_room_only() -> None:
    for name, path in modules():
        if name.startswith("shared.database"):
            continue
        imported = {i for i in imports_of(path) if i.startswith("sqlalchemy")}
        # A session may be passed around outside of it; statements may not be made there.
        allowed = {"sqlalchemy.ext.asyncio", "sqlalchemy.ext.asyncio.AsyncSession"}
        assert imported <= allowed, f"{name} imports {imported - allowed}"


def test_nothing_heavy_is_imported_when_the_app_is_indexed() -> None:
    for name, path in modules():
        heavy = [i for i in imports_of(path, module_level=True) if i.startswith(HEAVY)]
        assert not heavy or name.startswith("shared.database.migrat"), (
            f"{name} imports {heavy} at module level"
        )


def test_the_product_and_the_local_system_do_not_import_each_other() -> None:
    for name, path in modules():
        assert not [i for i in imports_of(path) if i.startswith(("infra", "tests"))], name
    # A name of a time zone means the same zone at every entry (design.md, Repository).
    common = "shared.domain.times.zone_names"
    for path in (ROOT / "infra").rglob("*.py"):
        found = [
            node
            for node in ast.walk(ast.parse(path.read_text()))
            if (
                isinstance(node, ast.ImportFrom)
                and (node.module or "").split(".")[0] == "shared"
                and node.module != common
            )
            or (isinstance(node, ast.Import) and any(a.name.split(".")[0] == "shared" for a in node.names))
        ]
        assert not found, path


#: They examine the connection to Microsoft Graph itself, and tell an operator of it by its name.
_EXAMINE_GRAPH = {"shared.services.operation.doctor", "shared.services.operation.system_health"}


def test_above_the_port_of_calendars_nobody_knows_graph() -> None:
    for name, path in modules():
        if name.startswith(("shared.graph", "shared.composition")):
            continue
        assert not [i for i in imports_of(path) if i.startswith("shared.graph")], name
        if name.startswith(("shared.services", "shared.domain")) and name not in _EXAMINE_GRAPH:
            named = [line for line in path.read_text().splitlines() if "Graph" in line]
            assert not named, f"{name}: {named}"


def test_no_store_speaks_in_the_words_of_another() -> None:
    for name, path in modules():
        if name.startswith("shared.services"):
            texts = {
                node.value
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
            forged = {text for text in texts if re.fullmatch(r"Error[A-Z][A-Za-z]+", text)}
            assert not forged, f"{name}: {forged}"


@pytest.mark.parametrize(
    "floor",
    ["shared/services", "shared/domain", "shared/database/repositories", "infra/local/graph_simulator"],
)
def test_the_rooms_of_a_floor_form_no_circle(floor: str) -> None:
    below = dict(_rooms_below(floor))
    order = TopologicalSorter(below)
    order.prepare()  # raises CycleError with the rooms of the circle


def _rooms_below(floor: str) -> Iterator[tuple[str, set[str]]]:
    prefix = floor.replace("/", ".") + "."
    for room in sorted(path.parent for path in (ROOT / floor).glob("*/__init__.py")):
        imported = {
            name.removeprefix(prefix).split(".")[0]
            for path in room.glob("*.py")
            for name in imports_of(path)
            if name.startswith(prefix)
        }
        yield room.name, {name for name in imported if (ROOT / floor / name).is_dir()} - {room.name}

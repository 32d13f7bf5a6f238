"""The oracle of minutes shares nothing with the product: it would make the same mistakes."""

import ast
from pathlib import Path

FOLDER = Path(__file__).parent


def imported(module: Path, seen: set[Path]) -> set[str]:
    """Names of the modules that a module of this folder imports, also through others of this folder."""
    seen.add(module)
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        names = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        found.update(names)
        for name in names:
            there = FOLDER / f"{name.removeprefix('tests.simulation.')}.py"
            if name.startswith("tests.simulation.") and there not in seen:
                found |= imported(there, seen)
    return found


def test_the_oracle_of_minutes_imports_nothing_of_the_product() -> None:
    names = imported(FOLDER / "minutes.py", set())
    assert "tests.simulation.rules" in names
    assert not {name for name in names if name.partition(".")[0] == "shared"}

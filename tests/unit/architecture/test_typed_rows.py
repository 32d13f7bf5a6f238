"""What services and repositories tell each other has a type: no open dict hides its fields."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.unit.architecture.test_imports import ROOT

_FLOORS = ("shared/services", "shared/database/repositories", "shared/domain")
_OPEN = re.compile(r"\b(?:dict|Mapping|MutableMapping)\[str, Any\]")
#: The few that stay, each with its reason.
_EXCEPTIONS = {
    # The driver reads these rows without SQLAlchemy. The resource checks each value.
    "shared/database/repositories/appointments/own_appointments.py Own.rows",
    # The page of the month and the complete list are two models with these fields.
    "shared/services/months/resources.py attention_fields",
}


def test_no_public_signature_and_no_field_is_an_open_dict() -> None:
    found = {
        f"{path.relative_to(ROOT)} {name}"
        for floor in _FLOORS
        for path in sorted((ROOT / floor).rglob("*.py"))
        for name, annotation in _annotations(path)
        if _OPEN.search(annotation)
    }
    assert found == _EXCEPTIONS


def _annotations(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _public(node.name):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            given += [each for each in (node.args.vararg, node.args.kwarg) if each is not None]
            for annotation in (*(each.annotation for each in given), node.returns):
                if annotation is not None:
                    yield node.name, ast.unparse(annotation)
        if isinstance(node, ast.ClassDef):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and _public(ast.unparse(field.target)):
                    yield f"{node.name}.{ast.unparse(field.target)}", ast.unparse(field.annotation)


def _public(name: str) -> bool:
    return not name.startswith("_") or name == "__init__"

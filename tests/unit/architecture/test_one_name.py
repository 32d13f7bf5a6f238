"""One name for one thing: no two classes of the product have the same name (glossary.md)."""

import ast
from collections import defaultdict

from tests.unit.architecture.test_imports import modules


def test_no_two_classes_have_the_same_name() -> None:
    found = defaultdict[str, list[str]](list)
    for name, path in modules():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                found[node.name].append(name)
    assert not {each: names for each, names in found.items() if len(names) > 1}

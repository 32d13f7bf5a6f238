"""What the product imports it pins itself, so that no other package's upgrade takes it away."""

import re
import sys
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import PurePosixPath

from infra.local.azure import package
from tests.unit.architecture.test_imports import ROOT, imports_of, modules


def test_every_import_of_the_product_is_pinned_in_its_requirements() -> None:
    pinned = pins()
    imported: dict[str, str] = {}
    for name, path in modules():
        for found in imports_of(path):
            top = found.split(".")[0]
            if top not in sys.stdlib_module_names and top not in ("shared", "function_app"):
                imported.setdefault(found, name)
    owners = {owner: name for found, name in imported.items() if (owner := owner_of(found))}
    assert len(owners) > 20
    assert {owner: name for owner, name in owners.items() if owner not in pinned} == {}


def test_the_lock_of_the_package_has_what_the_requirements_pin() -> None:
    locked = package.locked()
    assert {name: locked.get(name) for name in pins()} == pins()


def pins() -> dict[str, str]:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    found = [
        re.fullmatch(r"([\w.-]+)(?:\[\w+\])?==(\S+)", line) for line in lines if not line.startswith("#")
    ]
    assert all(found)
    return {normal(match[1]): match[2] for match in found if match}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def owner_of(name: str) -> str | None:
    """The distribution that a module comes from; None for a name that is no module."""
    path = PurePosixPath(*name.split("."))
    distributions = packages().get(path.parts[0], [])
    wanted = {str(path / "__init__.py"), f"{path}.py"}
    for distribution in distributions:
        if wanted & files_of(distribution):
            return normal(distribution)
    return None


@cache
def packages() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


@cache
def files_of(distribution: str) -> frozenset[str]:
    return frozenset(str(file) for file in metadata.files(distribution) or ())

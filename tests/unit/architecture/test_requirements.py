"""The page of requirements names only what exists and claims nothing without a test; citations hold."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "requirements.md"
STATUSES = ("met", "not yet")
_HEADER = ("what it asks for", "modules", "tests", "status")
_NAMED = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One row of the page."""

    name: str
    text: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    status: str


def requirements() -> Iterator[Requirement]:
    """Every row of every table of the page."""
    for line in PAGE.read_text().splitlines():
        if not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert len(cells) == 5, line
        name, text, modules, tests, status = cells
        if set(name) == {"-"}:
            continue
        if (text, modules, tests, status) == _HEADER:
            continue
        yield Requirement(name, text, tuple(_NAMED.findall(modules)), tuple(_NAMED.findall(tests)), status)


@cache
def functions_in(path: str) -> frozenset[str]:
    """The test functions of a module, those in classes included."""
    nodes = ast.walk(ast.parse((ROOT / path).read_text()))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(n.name for n in nodes if isinstance(n, functions) and n.name.startswith("test_"))


ALL = list(requirements())


@pytest.mark.parametrize("requirement", ALL, ids=lambda requirement: requirement.name)
def test_what_a_requirement_names_exists(requirement: Requirement) -> None:
    for module in requirement.modules:
        assert (ROOT / module).is_file(), f"{module} does not exist"
    for test in requirement.tests:
        path, _, function = test.partition("::")
        assert path.startswith("tests/"), f"{path} holds no tests"
        assert (ROOT / path).is_file(), f"{path} does not exist"
        name = function.rpartition("::")[2]
        assert not name or name in functions_in(path), f"{path} has no {name}"


@pytest.mark.parametrize("requirement", ALL, ids=lambda requirement: requirement.name)
def test_what_is_met_has_modules_and_tests_and_what_is_not_says_what_is_missing(
    requirement: Requirement,
) -> None:
    assert requirement.status in STATUSES
    assert requirement.text
    if requirement.status == "met":
        assert requirement.modules, "it names no module"
        assert requirement.tests, "it names no test"
        assert all("::" in test for test in requirement.tests), "it names a file instead of a test"
        assert "Missing:" not in requirement.text
    else:
        assert "Missing:" in requirement.text


def test_every_requirement_stands_once_and_no_section_is_left_out() -> None:
    names = [requirement.name for requirement in ALL]
    assert len(names) == len(set(names))
    text = PAGE.read_text()
    for number in (*range(1, 9), 14):
        assert f"\n## {number}. " in text
    rules = {2: 15, 3: 6, 4: 8, 5: 9, 6: 4, 7: 4, 8: 4}
    covered = set(_rules(names))
    for section, last in rules.items():
        assert {f"{section}.{rule}" for rule in range(1, last + 1)} <= covered, f"section {section}"
    assert {str(section) for section in (1, *range(9, 16))} <= covered


def _rules(names: list[str]) -> Iterator[str]:
    for name in names:
        numbers = re.findall(r"\d+(?:\.\d+)?", name)
        if " to " in name:
            section, first = numbers[0].split(".")
            yield from (f"{section}.{rule}" for rule in range(int(first), int(numbers[1].split(".")[1]) + 1))
        yield from numbers


def test_every_repository_has_its_test_module() -> None:
    repositories = {path.stem for path in (ROOT / "shared/database/repositories").rglob("*.py")}
    modules = {path.stem for path in (ROOT / "tests/integration/database").glob("test_*.py")}
    # What the repositories share has no table; the schema's revision is a matter of the migrations.
    repositories -= {"__init__", "base", "decisions", "schema"}
    assert {f"test_{name}" for name in repositories} <= modules


_RULES = re.compile(
    r"domain\.md,? (?:section )?(\d+(?:\.\d+)?(?:(?:, | and | to |, and |-|/)\d+(?:\.\d+)?)*)"
)
_SECTIONS = re.compile(r"\b(design|graph|functions-host)\.md,? (?:section )?([A-Z0-9$][^\n]*)")


@cache
def sections_of(document: str) -> frozenset[str]:
    """The headings of a page of docs/; for the rules also the number of each rule."""
    text = (ROOT / "docs" / f"{document}.md").read_text()
    found = set(re.findall(r"^#+ (.+)$", text, re.MULTILINE))
    if document == "domain":
        found |= {heading.partition(".")[0] for heading in found}
        found |= set(re.findall(r"^\*\*(\d+\.\d+)", text, re.MULTILINE))
    return frozenset(found)


def citations() -> Iterator[tuple[str, str, str]]:
    """File, document and section of each citation in our Python files."""
    for folder in ("shared", "infra", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = re.sub(r"\n[ \t]*(?:#:? )?", " ", path.read_text())
            for numbers in _RULES.findall(text):
                for number in re.findall(r"\d+(?:\.\d+)?", numbers):
                    yield path.name, "domain", number
            for document, section in _SECTIONS.findall(text):
                yield path.name, document, section


def test_every_section_that_the_code_cites_exists() -> None:
    missing = set()
    for file, document, section in citations():
        known = sections_of(document)
        if document == "domain":
            exists = section in known
        else:
            exists = any(section.startswith(re.split("[.:,]", heading)[0]) for heading in known)
        if not exists:
            missing.add(f"{file}: {document}.md, {section[:40]}")
    assert not missing, "\n".join(sorted(missing))


def test_the_glossary_has_each_word_once_in_order() -> None:
    rows = re.findall(r"^\| ([^|]+?) \|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    words = [word for word in rows if word != "word" and not word.startswith("---")]
    assert words == sorted(words)
    assert len(words) == len(set(words))

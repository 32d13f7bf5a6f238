"""The page of fidelity names tests that exist, with as many cases as they have."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.unit.architecture.test_requirements import functions_in

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/functions-host-fidelity.md"
FOLDER = "tests/integration/functions_host"
#: At least this many assertions like those of Microsoft's own tests must hold.
_AT_LEAST = 110
_ROW = re.compile(r"\| .+ \| ([A-Z0-9, a-z]+) \| `(\w+\.py)::(\w+)` \| (\d+) \|")
_LABEL = re.compile(r"\| ([A-Z]\d+|own) \| .+ \|")


def _rows() -> list[tuple[str, str, str, int]]:
    found = map(_ROW.fullmatch, PAGE.read_text().splitlines())
    return [(row[1], row[2], row[3], int(row[4])) for row in found if row is not None]


def test_every_row_names_a_test_and_sources_of_the_page() -> None:
    labels = {row[1] for line in PAGE.read_text().splitlines() if (row := _LABEL.fullmatch(line))}
    for sources, module, test, _ in _rows():
        assert set(sources.split(", ")) <= labels, sources
        assert test in functions_in(f"{FOLDER}/{module}"), f"{module} has no {test}"


def test_enough_assertions_hold(request: pytest.FixtureRequest) -> None:
    rows = _rows()
    assert len({(module, test) for _, module, test, _ in rows}) == len(rows)
    told = re.search(r"\*\*(\d+)\*\* in all", PAGE.read_text())
    assert told is not None
    assert int(told[1]) == sum(cases for *_, cases in rows) >= _AT_LEAST
    # What runs beside this test can be counted; alone, the page is compared with itself.
    collected = Counter((item.path.name, item.name.partition("[")[0]) for item in request.session.items)
    wrong = [
        (module, test, cases, collected[module, test])
        for _, module, test, cases in rows
        if (module, test) in collected and collected[module, test] != cases
    ]
    assert wrong == []

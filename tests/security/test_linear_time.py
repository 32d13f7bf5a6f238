"""What reads input takes time in proportion to its length: no text keeps a worker busy."""

import re
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from infra.local.functions_host.constraints import build
from infra.local.functions_host.routing import Template
from shared.domain.planning import travel
from shared.triggers.http import conditions, parsing
from tests.security.adversaries import adversaries
from tests.security.regular_expressions import Expression, expressions

MEGABYTE: Final = 1_000_000
#: Doubling the input takes at most this many times as long.
RATIO: Final = 2.5
_SMALL: Final = 1_000
#: A bounded repetition ("{1,200}") takes up to its bound for each character: it is linear for longer texts.
_BEYOND_BOUNDS: Final = 4 * _SMALL
#: CPU seconds that call for a closer look: for a small text, and for a megabyte (in proportion for less).
_SUSPICIOUS, _SURE = 0.001, 0.4
_FLOOR: Final = 0.0005

_MIXED: Final = Template.parse("{a}-{b}-x-{c}.{d?}")

type Reader = Callable[[Any], object]

#: Expressions that only run time knows, each with one that is made as it is there.
MADE_AT_RUN_TIME: Final[dict[str, Reader | None]] = {
    "shared/domain/planning/travel.py f'(?<!\\\\w)(?:{'|'.join(parts)})(?!\\\\w)'": partial(
        travel.is_travel, categories=(), words=("a a", "drive", "a")
    ),
    # Written by who writes the app, or by who plans a fault in the simulator; not run against requests here.
    "infra/local/functions_host/constraints.py argument": None,
    "infra/local/graph_simulator/behaviour/faults.py self.path_regex": None,
}
#: Readers of headers, paths and bodies that are more than one expression.
READERS: Final[dict[str, Reader]] = {
    "depth of JSON": lambda text: parsing.deeper_than(text.encode() + b"[" * 40, parsing.MAX_DEPTH),
    "repeated keys of JSON": lambda text: parsing.repeated_key(text.encode()),
    "a mixed segment": lambda text: _MIXED.match([text]),
    "constraint int": build("int", None),
    "constraint decimal": build("decimal", None),
    "constraint double": build("double", None),
    "constraint datetime": build("datetime", None),
    "constraint guid": build("guid", None),
    "tags of If-Match": lambda text: conditions._TAGS.fullmatch(text),
}
EXPRESSIONS: Final = {each.key: each for each in expressions()}


def readers_of(expression: Expression) -> list[Reader]:
    """Each way in which the source applies the expression."""
    if expression.pattern is None:
        reader = MADE_AT_RUN_TIME[expression.key]
        return [reader] if reader else []
    if expression.made_by == "pattern=":
        pattern = expression.pattern
        assert isinstance(pattern, str)
        return [partial(_validate, TypeAdapter(Annotated[str, Field(pattern=pattern)]))]
    compiled = re.compile(expression.pattern, expression.flags)
    by_method: dict[str, Reader] = {
        "match": compiled.match,
        "fullmatch": compiled.fullmatch,
        "search": compiled.search,
        "sub": lambda text: compiled.sub(text[:0], text),
        "split": lambda text: compiled.split(text),
        "findall": compiled.findall,
        "finditer": lambda text: sum(1 for _ in compiled.finditer(text)),
    }
    return [by_method[method] for method in sorted(expression.methods)]


def _validate(adapter: TypeAdapter[str], text: str) -> None:
    try:
        adapter.validate_python(text)
    except ValidationError:
        return


def cpu_seconds(reader: Reader, text: object, repeats: int = 1) -> float:
    best = float("inf")
    for _ in range(repeats):
        began = time.process_time()
        reader(text)
        best = min(best, time.process_time() - began)
    return best


def assert_linear(reader: Reader, pattern: str, *, raw: bool = False) -> None:
    """Fails with the text that takes more than proportionate time."""

    def made(parts: tuple[str, str, str], length: int) -> Any:
        begin, pump, end = parts
        text = begin + pump * (length // len(pump)) + end
        return text.encode() if raw else text

    def doubles(parts: tuple[str, str, str], length: int) -> None:
        half = whole = 0.0
        for _ in range(8):
            half, whole = (cpu_seconds(reader, made(parts, size), 5) for size in (length // 2, length))
            # The minimum is used: a busy machine disturbs some measurements. A very short time says nothing.
            if whole <= max(half * RATIO, _FLOOR):
                return
        raise AssertionError(f"{parts} of {length}: {half:.4f} s, doubled {whole:.4f} s")

    worst, slowest = ("", "a", ""), 0.0
    for parts in dict.fromkeys(adversaries(pattern)):
        for length, doubled in ((24, 24), (_SMALL, _BEYOND_BOUNDS)):
            taken = cpu_seconds(reader, made(parts, length))
            if taken > _SUSPICIOUS:
                doubles(parts, doubled)
        if taken > slowest:
            worst, slowest = parts, taken
    for length in (_SMALL * 16, _SMALL * 128, MEGABYTE):
        if cpu_seconds(reader, made(worst, length)) > _SURE * length / MEGABYTE:
            doubles(worst, length)


@pytest.mark.parametrize("key", EXPRESSIONS)
def test_an_expression_takes_time_in_proportion_to_its_input(key: str) -> None:
    expression = EXPRESSIONS[key]
    raw = isinstance(expression.pattern, bytes)
    pattern = expression.pattern or "a-a.a"
    for reader in readers_of(expression):
        assert_linear(reader, pattern.decode() if isinstance(pattern, bytes) else pattern, raw=raw)


@pytest.mark.parametrize("name", READERS)
def test_a_reader_takes_time_in_proportion_to_its_input(name: str) -> None:
    assert_linear(READERS[name], r'\{"a": ?"(?:\\"|b)+", "a": \["c"')


def test_what_is_made_at_run_time_is_listed() -> None:
    assert {key for key, each in EXPRESSIONS.items() if each.pattern is None} == set(MADE_AT_RUN_TIME)


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r'"(?:[^"\\]|\\.)*"', "finditer"),
        (r"\s+or\s+", "split"),
        (r"\s*([\w.]+)\s*(?:=x)?\s*(?:,|$)", "match"),
        (r"[0-9][0-9,]*\.?[0-9]*", "fullmatch"),
        (r"x\s*=\s*(.+)\)", "fullmatch"),
    ],
)
def test_what_is_not_linear_is_found(pattern: str, method: str) -> None:
    expression = Expression("", pattern, "compile", pattern, re.DOTALL, frozenset([method]))
    (reader,) = readers_of(expression)
    with pytest.raises(AssertionError, match="doubled"):
        assert_linear(reader, pattern)

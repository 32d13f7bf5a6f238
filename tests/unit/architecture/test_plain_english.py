"""Comments, docstrings and pages are plain English: short sentences and the field's standard words."""

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import function_app  # noqa: F401 - declares the operations
from shared.settings import Settings
from shared.triggers.http.docs import described

ROOT = Path(__file__).parents[3]
#: The longest sentence, in words. Code in backticks, an address and a number count as one word each.
LONGEST = 25
#: Old words of the project, each with the plain words to use instead.
OLD_WORDS = {
    r"he|him|his|himself": "they, them, their, or the person's role",
    r"whoever|whichever|wherever|whomever": "the caller, any, each, everywhere",
    r"thereby|thereof|therein|whereby|hereby|hence|thus|lest": "so, by this, because",
    r"anew|afresh": "again",
    r"likewise|beyond|moot|nought|amid|betimes": "too, outside or after, obsolete",
    r"meanwhile": "in between, since, while",
    r"under way": "in progress, or in flight",
    r"goes on|go on|going on": "continues, or resumes",
    r"for ever": "permanently",
    r"by itself|by themselves": "alone, or automatically",
    r"let in": "has access",
    r"stands? for|stood for": "means, represents, or replaces",
    r"(is|are|was|were) to be": "must be, or the plain verb",
    r"mends?|mended|mending": "fix (a field named ``mended`` is code, in backticks)",
    r"lends?|lent": "borrow, or hold",
    r"settles?|settled|settling": "reconcile (a write), resolve (an overlap), decide",
    r"stretch|stretches": "range",
    r"at work": "active, or in progress",
    r"in vain": "without result",
    r"but for": "except",
    r"so many": "the number, or at most this many",
    r"see to it|seeing to it|come into being|comes into being|what is told|who waits": "the plain verb",
    r"is dear|broken off": "is expensive, stopped",
}
PLAIN_PAGES = sorted(
    str(each.relative_to(ROOT))
    for each in (*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md")
)
#: Uses of these words that are not the old sense.
_FINE = re.compile(r"so many (people|events)|his/her", re.IGNORECASE)
_OLD = re.compile(r"\b(" + "|".join(OLD_WORDS) + r")\b", re.IGNORECASE)
_CODE = re.compile(r"```.*?```|``.+?``|`[^`\n]+`|https?://\S+|\"[^\"\n]*\"", re.DOTALL)
#: A list item begins a sentence, and ends the one that introduces the list.
_ITEM = re.compile(r"^[\s│]*(?:[-*•|├└]|\d+[.)]|[a-z][.)])\s")
_END = re.compile(r"(?<=[.!?])[\"')\]*]*\s+(?=[\"'(\[*]*[A-Z0-9])")
_PRAGMA = re.compile(r"#:?\s*(noqa|type:|pragma|nosec|ruff:|mypy:|fmt:|pragma)")


def python_files() -> list[Path]:
    """Every module of the product, the local system and the tests."""
    folders = [ROOT / name for name in ("shared", "infra", "tests")]
    return [ROOT / "function_app.py", *(path for each in folders for path in sorted(each.rglob("*.py")))]


def passages(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each docstring, each block of comment lines, and each comment after code."""
    source = path.read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            if isinstance(node.value.value, str):
                yield node.lineno, node.value.value
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.lineno, node.name.removeprefix("test_").replace("_", " ")
    yield from _comments(source)


def _comments(source: str) -> Iterator[tuple[int, str]]:
    begin, lines, expected = 0, list[str](), (0, 0)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT or _PRAGMA.match(token.string):
            continue
        alone = not token.line[: token.start[1]].strip()
        if not (lines and alone and token.start == expected):
            if lines:
                yield begin, "\n".join(lines)
            begin, lines = token.start[0], []
        lines.append(token.string.lstrip("#:").removeprefix(" "))
        expected = (token.start[0] + 1, token.start[1])
    if lines:
        yield begin, "\n".join(lines)


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text. They end at ``.``, ``!``, ``?``, a blank line and the next list item."""
    paragraph = list[str]()
    for line in [*_CODE.sub("CODE", text).splitlines(), ""]:
        if paragraph and (not line.strip() or _ITEM.match(line)):
            yield from (each for each in _END.split(" ".join(paragraph)) if each)
            paragraph = []
        if line.strip():
            paragraph.append(_ITEM.sub("", line, count=1).strip())


def faults(text: str) -> Iterator[str]:
    """What is wrong with a text: sentences that are too long, and old words."""
    for sentence in sentences(text):
        length = sum(bool(re.search(r"\w", word)) for word in sentence.split())
        if length > LONGEST:
            yield f"{length} words: {sentence[:80]}"
    found = {match.group(0).lower() for match in _OLD.finditer(_FINE.sub("", _CODE.sub("CODE", text)))}
    yield from (f"old word: {word}" for word in sorted(found))


def page_text(path: Path) -> str:
    """A page without its code and tables. Of the changelog, only what is not released yet."""
    text = path.read_text()
    if path.name == "CHANGELOG.md":
        text = re.split(r"\n## ", text)[1]
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    text = "\n".join(line for line in text.splitlines() if not line.startswith(("|", "#")))
    return re.sub(r"\*\*(.+?)\*\*", r"\1", text)


def test_comments_docstrings_and_test_names_are_plain() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {fault}"
        for path in python_files()
        for line, text in passages(path)
        for fault in faults(text)
    ]
    assert not found, f"{len(found)}\n" + "\n".join(found)


@pytest.mark.parametrize("page", PLAIN_PAGES)
def test_a_page_is_plain(page: str) -> None:
    found = list(faults(page_text(ROOT / page)))
    assert not found, f"{len(found)}\n" + "\n".join(found)


def _descriptions(node: Any, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for name, inner in node.items():
            if name in ("description", "summary") and isinstance(inner, str):
                yield place, inner
            yield from _descriptions(inner, f"{place}/{name}")
    elif isinstance(node, list):
        for inner in node:
            yield from _descriptions(inner, place)


def test_what_the_api_says_of_itself_is_plain(settings: Settings) -> None:
    document = json.loads(described(settings))
    assert len(document["paths"]) > 50
    found = [f"{place}: {fault}" for place, text in _descriptions(document) for fault in faults(text)]
    assert not found, f"{len(found)}\n" + "\n".join(found)


def test_a_fault_is_found() -> None:
    assert list(faults("It writes " + "one " * 24 + "row."))
    assert list(faults("What nobody asked for is settled by whoever comes.")) == [
        "old word: settled",
        "old word: whoever",
    ]
    assert not list(faults("- " + "one " * 20 + "\n- " + "two " * 20 + "``settle(whoever)``."))

"""Every regular expression of the app and of the local servers: where it stands and what it is."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("shared", "infra/local/functions_host", "infra/local/graph_simulator")
_FUNCTIONS = frozenset(
    ("compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer", "template")
)

_ALL = frozenset(("match", "fullmatch", "finditer"))


@dataclass(frozen=True)
class Expression:
    """One regular expression in the source."""

    module: str
    #: The expression as Python writes it, without flags.
    source: str
    #: How it is written: ``re.compile``, ``re.sub``, or ``pattern=`` of a pydantic model.
    made_by: str
    #: The text of the pattern and its flags; None where it is made of parts that only run time knows.
    pattern: str | bytes | None
    flags: int = 0
    #: How it is applied to texts: names of methods of ``re.Pattern``.
    methods: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """Names it in the lists of the test."""
        return f"{self.module} {self.source}"


def expressions() -> Iterator[Expression]:
    """All of them, in the order of the files."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield from _of(path)


def _of(path: Path) -> Iterator[Expression]:
    text = path.read_text()
    assert not re.search(r"^\s*(from re import|import re as|import regex)", text, re.MULTILINE), path
    # Parsing takes long, and most files have neither.
    if "re." not in text and "pattern" not in text:
        return
    tree = ast.parse(text)
    applied = _applied(tree)
    module = str(path.relative_to(ROOT))
    names: dict[str, object] = {"re": re}
    for line in tree.body:
        if isinstance(line, ast.Assign | ast.AnnAssign) and line.value is not None:
            targets = line.targets if isinstance(line, ast.Assign) else [line.target]
            value = _value(line.value, names)
            names |= {each.id: value for each in targets if isinstance(each, ast.Name) and value is not None}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if _is_re(node.func) and node.args:
            made_by: str = node.func.attr  # type: ignore[attr-defined]
            flags = [each.value for each in node.keywords if each.arg == "flags"]
            flags += node.args[1:2] if made_by == "compile" else []
            total = sum(each for flag in flags if isinstance(each := _value(flag, names), int))
            source, pattern = ast.unparse(node.args[0]), _text(_value(node.args[0], names))
            # One that no name of the module is bound to may be applied in any way.
            methods = applied.get(id(node), _ALL) if made_by == "compile" else frozenset([made_by])
            yield Expression(module, source, made_by, pattern, total, methods)
        for keyword in node.keywords:
            if keyword.arg == "pattern":
                source = ast.unparse(keyword.value)
                yield Expression(module, source, "pattern=", _text(_value(keyword.value, names)))


def _applied(tree: ast.Module) -> dict[int, frozenset[str]]:
    """The methods that a module calls on what it binds ``re.compile(...)`` to, by the id of that call."""
    bound: dict[str, int] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and _is_re(node.value.func):
                bound[target.id] = id(node.value)
    methods: dict[int, set[str]] = {}
    for each in ast.walk(tree):
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id in bound:
            methods.setdefault(bound[each.value.id], set()).add(each.attr)
    return {call: frozenset(found & _FUNCTIONS) or _ALL for call, found in methods.items()}


def _is_re(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "re"
        and function.attr in _FUNCTIONS
    )


def _value(node: ast.expr, names: dict[str, object]) -> object | None:
    """The value of an expression made of literals, names of the module and flags of ``re``."""
    try:
        code = compile(ast.Expression(node), "<expression>", "eval")
        value: object = eval(code, {"__builtins__": {}}, names)  # noqa: S307 - our own source
    except Exception:
        return None
    return value


def _text(value: object) -> str | bytes | None:
    return value if isinstance(value, str | bytes) else None

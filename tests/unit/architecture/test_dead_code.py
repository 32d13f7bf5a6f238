"""What is defined in the product is used by it: its name stands somewhere beside its definition."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
#: What only others call: Python's and SQLAlchemy's own hooks, values that are stored, and doors for tests.
_CALLED_BY_OTHERS = {
    *("handle_starttag", "handle_endtag", "handle_data", "type_annotation_map"),
    *("AUTOMATIC", "SETTLING"),
    "use_application",
    # Tables that SQL reads and writes; migrations are compared with these classes.
    *("MailboxGate", "VerificationItem"),
}


def _definitions(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                # What is decorated is registered somewhere.
                if not node.decorator_list:
                    yield node.name
            case ast.ClassDef():
                yield node.name
                yield from _definitions(node.body)
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.TypeAlias(name=ast.Name(id=name)):
                yield name
            case ast.Assign():
                yield from (each.id for each in node.targets if isinstance(each, ast.Name))


def test_every_name_of_the_product_is_used_by_it() -> None:
    product = [ROOT / "function_app.py", *sorted((ROOT / "shared").rglob("*.py"))]
    local = sorted((ROOT / "infra").rglob("*.py"))
    texts = {path: path.read_text() for path in [*product, *local]}
    words: Counter[str] = Counter()
    for content in texts.values():
        words.update(re.findall(r"[A-Za-z_]\w*", content))
    unused = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in product
        if "versions" not in path.parts
        for name in _definitions(ast.parse(texts[path]).body)
        if words[name] == 1 and not name.startswith("__") and name not in _CALLED_BY_OTHERS
    ]
    assert unused == []

"""Bytecode of a package's modules, by ``python -X no_debug_ranges -m infra.local.azure.bytecode FOLDER``.

The option leaves out the columns of each instruction, a fifth of all bytecode. A traceback then names file
and line, and does not underline. The option holds for a whole process
(https://docs.python.org/3.13/using/cmdline.html), so this runs in a process of its own.
"""

import ast
import marshal
import re
import sys
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path

from infra.local.errors import LocalError

DEPENDENCIES = Path(".python_packages") / "lib" / "site-packages"
#: Where Azure unpacks it: what tracebacks name.
_WWWROOT = "/home/site/wwwroot"
#: It builds texts out of its docstrings and asserts that they are there: a shorter one serves as well.
_WITH_DOCSTRINGS = f"{DEPENDENCIES.as_posix()}/sqlalchemy/"
#: Our modules that stay sources: the worker looks for the first, alembic loads the others by their files.
_SOURCES = re.compile(r"function_app\.py$|shared/database/migrations/")
#: Ours whose docstrings describe the API (OpenAPI: operations, models, enumerations), or a command.
_DESCRIBED = re.compile(
    r"function_app\.py$|shared/(?:triggers|schemas|domain|application)|shared/database/migrat"
)
#: What the SDK loads when a path is built or an error is read (docs/graph.md, Size).
_LOADED = re.compile(
    r"generated/[^/]+\.py$|generated/users/(?:item/)?[^/]+\.py$|generated/models/o_data_errors/|"
    r"generated/users/item/(?:calendars|calendar_view|events|outlook|mailbox_settings)/"
)


def compile_folder(folder: Path) -> None:
    """Compile the modules of the app and of its dependencies in the place of their sources.

    Raises LocalError for a module of ours that does not compile.
    """
    for path in sorted(folder.rglob("*.py")):
        inside = path.relative_to(folder).as_posix()
        ours = not inside.startswith(DEPENDENCIES.as_posix())
        # Generated modules of which few are ever loaded: those few compile in no time.
        if "/msgraph/generated/" in inside and not _LOADED.search(inside):
            continue
        # Migrations run once in a deployment, and compile then.
        if inside.startswith("shared/database/migrations/"):
            continue
        source = path.read_bytes()
        try:
            tree = ast.parse(source)
        except SyntaxError as error:
            # Templates among the dependencies are no modules; what is ours must compile.
            if ours:
                raise LocalError(f"{inside} does not compile") from error
            continue
        if not (ours and _DESCRIBED.match(inside)):
            without_docstrings(tree, instead="." if inside.startswith(_WITH_DOCSTRINGS) else None)
        stays = ours and _SOURCES.match(inside)
        target = Path(cache_from_source(str(path))) if stays else path.with_suffix(".pyc")
        code = compile(tree, f"{_WWWROOT}/{inside}", "exec", dont_inherit=True)
        target.parent.mkdir(exist_ok=True)
        # PEP 552: the flag 1 without 2 is a hash that nobody compares.
        header = MAGIC_NUMBER + (1).to_bytes(4, "little") + source_hash(source)
        target.write_bytes(header + marshal.dumps(code))
        if not stays:
            # A package is never edited: its sources are the commit that build.json names.
            path.unlink()


def without_docstrings(tree: ast.Module, *, instead: str | None = None) -> None:
    """Take out what only a reader of sources needs; assertions stay, so nothing behaves otherwise.

    Where a docstring was, ``instead`` stands, if it is given.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            had = bool(node.body) and _is_text(node.body[0])
            # A text that stands second would be taken for it.
            while node.body and _is_text(node.body[0]):
                node.body = node.body[1:]
            if had and instead is not None:
                text = ast.Constant(instead, lineno=1, col_offset=0)
                node.body = [ast.Expr(text, lineno=1, col_offset=0), *node.body]
            if not node.body and not isinstance(node, ast.Module):
                node.body = [ast.Pass(lineno=node.lineno, col_offset=node.col_offset)]
    ast.fix_missing_locations(tree)


def _is_text(node: ast.stmt) -> bool:
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


if __name__ == "__main__":
    try:
        compile_folder(Path(sys.argv[1]))
    except LocalError as error:
        sys.exit(str(error))

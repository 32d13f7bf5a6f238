"""Which modules of the dependencies can be loaded: those that the app imports, and what these import in turn.

The sources are read and not run. So some modules stay that nothing loads. An import inside a function counts.
A string that names a module counts too, because packages load parts of themselves by name. A package with
extension modules is kept whole, because what they import cannot be read.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from configparser import ConfigParser
from dataclasses import dataclass, field
from pathlib import Path

_NAME = re.compile(r"\.*[A-Za-z_][A-Za-z0-9_.]{0,120}")
#: What no source of the app names: names put together at run time, and what the Functions worker loads.
_LOADED_BY_OTHERS = (
    *("anyio._backends._asyncio", "azure_functions_runtime", "azurefunctions.extensions.base"),
)


def unreached(packages: Path, roots: Iterable[Path]) -> list[Path]:
    """The modules below ``packages`` that nothing loads; ``roots`` are the app's own sources."""
    search = _Search(packages)
    for root in roots:
        search.source(root, "")
    for name in (*_LOADED_BY_OTHERS, *_entry_points(packages)):
        search.name(name)
    search.follow()
    whole = _with_extension_modules(packages)
    return [
        path
        for path in sorted(packages.rglob("*.py"))
        if path not in search.reached
        and path.relative_to(packages).parts[0] not in whole
        and not _names_data(path)
    ]


def _entry_points(packages: Path) -> Iterator[str]:
    """Modules that a distribution offers as entry points, except commands."""
    for path in packages.glob("*.dist-info/entry_points.txt"):
        parser = ConfigParser(delimiters=("=",), interpolation=None)
        parser.read(path, encoding="utf-8")
        for section in parser.sections():
            if section not in ("console_scripts", "gui_scripts") and section.startswith("opentelemetry_"):
                yield from (target.partition(":")[0].strip() for target in parser[section].values())


def _names_data(path: Path) -> bool:
    """Whether data lies in a package, which is found through it."""
    return path.name == "__init__.py" and any(
        each.is_file() and each.suffix not in (".py", ".typed") for each in path.parent.iterdir()
    )


def _with_extension_modules(packages: Path) -> set[str]:
    return {path.relative_to(packages).parts[0] for path in packages.rglob("*.so")}


@dataclass(slots=True)
class _Search:
    packages: Path
    reached: set[Path] = field(default_factory=set)
    _names: set[str] = field(default_factory=set)
    _waiting: list[tuple[Path, str]] = field(default_factory=list)

    def name(self, name: str) -> None:
        """Reach a module by its full name, and the packages that it lies in."""
        parts = name.split(".")
        for length in range(1, len(parts) + 1):
            part = ".".join(parts[:length])
            if part in self._names:
                continue
            self._names.add(part)
            place = self.packages.joinpath(*parts[:length])
            if (module := place.with_suffix(".py")).is_file():
                self._reach(module, ".".join(parts[: length - 1]))
            elif (module := place / "__init__.py").is_file():
                self._reach(module, part)
            elif not place.is_dir():
                return

    def _reach(self, path: Path, package: str) -> None:
        self.reached.add(path)
        self._waiting.append((path, package))

    def follow(self) -> None:
        """Read what was reached until nothing new is."""
        while self._waiting:
            self.source(*self._waiting.pop())

    def source(self, path: Path, package: str) -> None:
        """Reach what one file names; ``package`` is the one it lies in."""
        try:
            tree = ast.parse(path.read_bytes())
        except SyntaxError:
            return
        for node in ast.walk(tree):
            match node:
                case ast.Import():
                    for alias in node.names:
                        self.name(alias.name)
                case ast.ImportFrom():
                    module = _absolute("." * node.level + (node.module or ""), package)
                    self.name(module)
                    for alias in node.names:
                        self.name(f"{module}.{alias.name}")
                case ast.Constant(value=str(text)) if _NAME.fullmatch(text):
                    self._text(text, package, path)

    def _text(self, text: str, package: str, path: Path) -> None:
        if text.startswith("."):
            self.name(_absolute(text, package))
        elif "." in text:
            self.name(text)
        elif package and path.name == "__init__.py":
            self.name(f"{package}.{text}")


def _absolute(name: str, package: str) -> str:
    level = len(name) - len(name.lstrip("."))
    if not level:
        return name
    parts = package.split(".") if package else []
    base = parts[: len(parts) - level + 1]
    return ".".join([*base, *([name[level:]] if name[level:] else [])])

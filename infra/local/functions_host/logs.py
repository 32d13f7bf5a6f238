"""Console output of the host and of the app: one `[time] message` line each, filtered by category.

Categories and levels are those of `host.json` (`logging.logLevel`): the longest category that starts the
record's category decides. An app's own records have the category `Function.NAME.User`
(Functions docs, "Configure monitoring for Azure Functions", section "Configure categories").
"""

import logging
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TextIO

HOST = logging.getLogger("functions_host")
_LEVELS = {
    "trace": 1,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": logging.CRITICAL + 1,
}
# Libraries that the host brings into the process; below warnings they only describe its insides.
_QUIET = (
    "azure.functions",
    "durabletask-client",
    "durabletask-async_client",
    "durabletask.testing",
    "asyncio",
    "aiohttp",
    "grpc",
)


class CategoryLevels:
    """Answers which level a category is shown from."""

    def __init__(self, levels: Mapping[str, str]) -> None:
        self._default = logging.INFO
        self._by_category: list[tuple[str, int]] = []
        for category, name in levels.items():
            level = _LEVELS.get(name.lower(), logging.INFO)
            if category.lower() == "default":
                self._default = level
            else:
                self._by_category.append((category.lower(), level))
        self._by_category.sort(key=lambda entry: -len(entry[0]))
        self._cache: dict[str, int] = {}

    def of(self, category: str) -> int:
        """Lowest level number (as in `logging`) that is shown for `category`."""
        level = self._cache.get(category)
        if level is None:
            lower = category.lower()
            level = next((n for prefix, n in self._by_category if lower.startswith(prefix)), self._default)
            self._cache[category] = level
        return level


class _CategoryFilter(logging.Filter):
    def __init__(self, levels: CategoryLevels, current_function: Callable[[], str | None]) -> None:
        super().__init__()
        self._levels = levels
        self._current_function = current_function

    def filter(self, record: logging.LogRecord) -> bool:
        category = getattr(record, "category", None)
        if category is None:
            if record.name.startswith("functions_host"):
                category = "Host.General"
            else:
                name = self._current_function()
                category = f"Function.{name}.User" if name else f"Worker.{record.name}"
        return record.levelno >= self._levels.of(category)


class _LineFormatter(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        moment = datetime.fromtimestamp(record.created, UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03d}Z"


def configure(
    levels: Mapping[str, str],
    current_function: Callable[[], str | None],
    *,
    verbose: bool = False,
    stream: TextIO | None = None,
) -> None:
    """Sends every log record of the process to `stream` (standard output), filtered by `levels`.

    `current_function` names the function whose code is running where it is called, if any.
    """
    categories = CategoryLevels(levels)
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(_LineFormatter("[%(asctime)s] %(message)s"))
    handler.addFilter(_CategoryFilter(categories, current_function))
    root = logging.getLogger()
    for existing in list(root.handlers):
        root.removeHandler(existing)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if verbose or categories.of("Function") <= logging.DEBUG else logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)


def executed(function: str, invocation_id: str, duration: float, failure: str = "") -> None:
    """Logs the line that ends every invocation; `duration` in seconds, `failure` is the traceback if any."""
    outcome = "Failed" if failure else "Succeeded"
    HOST.log(
        logging.ERROR if failure else logging.INFO,
        "Executed 'Functions.%s' (%s, Id=%s, Duration=%.0fms)%s",
        function,
        outcome,
        invocation_id,
        duration * 1000,
        f"\n{failure.rstrip()}" if failure else "",
        extra={"category": f"Function.{function}"},
    )

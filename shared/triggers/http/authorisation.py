"""``python -m shared.triggers.http.authorisation [--json]``: who may call what, and on whose data."""

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from typing import Any

from shared.triggers.http.registry import authorisation_table

_COLUMNS = ("method", "path", "roles", "ownership", "graph", "operation")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table that the decorator enforces."""
    parser = argparse.ArgumentParser(prog="permissions", description=__doc__)
    parser.add_argument("--json", action="store_true", help="as one JSON array")
    given = parser.parse_args(arguments)
    # Operations are registered when the app is imported, which is above this module.
    importlib.import_module("function_app")
    rows = list(authorisation_table())
    sys.stdout.write(json.dumps(rows, indent=2) + "\n" if given.json else _table(rows))
    return 0


def _table(rows: list[dict[str, Any]]) -> str:
    cells = [_COLUMNS, *(tuple(_text(row[column]) for column in _COLUMNS) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_COLUMNS))]
    padded = (zip(line, widths, strict=True) for line in cells)
    return "".join("  ".join(text.ljust(width) for text, width in line).rstrip() + "\n" for line in padded)


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


if __name__ == "__main__":
    sys.exit(main())

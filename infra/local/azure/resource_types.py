"""The published shapes of Azure's resource types (``infra/azure/resource-types``)."""

import functools
import json
from pathlib import Path
from typing import Any

from infra.local.stack import ROOT

FOLDER = ROOT / "infra" / "azure" / "resource-types"
REQUIRED, READ_ONLY, DEPLOY_TIME = 1, 2, 8

type Shape = dict[str, Any]


@functools.cache
def _load(path: Path) -> list[Shape]:
    loaded: list[Shape] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


@functools.cache
def known() -> dict[str, tuple[Path, Shape]]:
    """By lower-case ``namespace/type@version``: the file and the reference to the shape of the body."""
    return {
        entry["name"].lower(): (path, entry["body"])
        for path in sorted(FOLDER.rglob("*.json"))
        for entry in _load(path)
        if entry["$type"] == "ResourceType"
    }


def followed(path: Path, reference: Shape) -> Shape:
    """The shape that a reference of a file points to."""
    return _load(path)[int(reference["$ref"].rpartition("/")[2])]

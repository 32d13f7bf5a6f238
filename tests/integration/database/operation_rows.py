"""Rows of operations, as a plan adds them."""

import uuid
from typing import Any, cast

from shared.database.repositories.archiving.archive_operations import OperationRow
from tests.support.factories import record


def operation_row(key: str, position: int = 1, state: str = "planned", **columns: Any) -> OperationRow:
    """A write that a plan decided on."""
    defaults = {
        "id": str(uuid.uuid4()),
        "position": position,
        "source_key": key,
        "action": "create",
        "state": state,
        "payload": {"subject": key},
        "record": record(subject=key),
        "revision": f"revision of {key}",
    }
    return cast("OperationRow", defaults | columns)

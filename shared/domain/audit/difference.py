"""The change in an audit row, as a difference of fields (domain.md 7.4)."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from shared.domain.audit.values import ERASED, REDACTED, UNREADABLE, WITHHELD
from shared.domain.json_object import JsonObject

_BEFORE, _AFTER = "before", "after"
#: Values without content: two of them may hide a difference.
_SILENT: Final = (ERASED, REDACTED, UNREADABLE, WITHHELD)
#: Columns whose public name differs from the column name.
_PUBLIC: Final = {"start_at": "start", "end_at": "end", "state": "status", "origin_mailbox_id": "mailbox_id"}


class Changed(NamedTuple):
    """One field that differs. None means that there was no value."""

    field: str
    before: Any
    after: Any


def difference(changes: JsonObject) -> tuple[list[Changed], JsonObject]:
    """The fields that differ, and the other details of the row. An unreadable value counts as changed."""
    before, after = changes.get(_BEFORE), changes.get(_AFTER)
    # A row that does not store values by field shows everything in its details.
    if not all(each is None or isinstance(each, Mapping) for each in (before, after)):
        return [], dict(changes)
    old, new = before or {}, after or {}
    fields = {*old, *new}
    changed = [
        Changed(_PUBLIC.get(name, name), old.get(name), new.get(name))
        for name in sorted(fields)
        if old.get(name) != new.get(name) or old.get(name) in _SILENT
    ]
    return changed, {name: value for name, value in changes.items() if name not in (_BEFORE, _AFTER)}

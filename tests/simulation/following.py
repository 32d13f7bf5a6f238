"""What the copy of an event follows of its source, for the oracle (domain.md 2.4, 2.16, 2.17)."""

from collections.abc import Iterable, Mapping
from copy import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.simulation.deciding import named
from tests.simulation.rules import told, valid_categories
from tests.simulation.source_keys import Json

type Row = Mapping[str, Any]


def with_category(item: Json, row: Row) -> Json:
    """The event with the categories of its former copy, while it has no valid one itself (2.16)."""
    if not row["kept_categories"] or valid_categories(item):
        return item
    return item | {"categories": row["kept_categories"], "entered": item["categories"]}


def is_refused(item: Json, row: Row, operations: Iterable[Row], zone: ZoneInfo) -> bool:
    """Whether the last write to the copy meant what the source shows now, and met an edit by the owner.

    So it is no change that the copy keeps out (2.17): the event is where its source shows it.
    """
    mine = (op for op in operations if op["archived_event_id"] == row["id"])
    tried = [op for op in mine if op["state"] in ("done", "conflict")]
    last = max(tried, key=lambda op: op["finished_at"], default=None)
    if last is None or last["state"] != "conflict":
        return False
    event = told(with_category(item, row), item["id"], zone)
    applied = [
        (each["key"], *(datetime.fromisoformat(each[name]) for name in ("start", "end")))
        for each in row["modifications"]
    ]
    return last["revision"] in (named(event), named(replace(event, applied=tuple(applied))))

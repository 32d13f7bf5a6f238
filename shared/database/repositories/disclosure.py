"""``shared.domain.disclosure`` in SQL: which rows a viewer sees more of than their times (domain.md 6.3)."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, literal_column, or_

from shared.domain.disclosure import NORMAL


def disclosed(table: Any, viewer: UUID | None) -> ColumnElement[bool]:
    """True for the rows of a table of events that the viewer sees whole."""
    normal: ColumnElement[bool] = table.sensitivity == literal_column(f"'{NORMAL}'")
    return normal if viewer is None else or_(normal, table.origin_mailbox_id == viewer)


def hidden_sql(alias: str) -> str:
    """The opposite for a table in written SQL, where ``:viewer`` is the viewer's object id or NULL."""
    return (
        f"({alias}.sensitivity <> '{NORMAL}' "
        f"AND {alias}.origin_mailbox_id IS DISTINCT FROM CAST(:viewer AS uuid))"
    )

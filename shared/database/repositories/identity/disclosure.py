"""``shared.domain.identity.disclosure`` in SQL: rows of which a viewer sees more than times (domain.md 6.3).

Also rows that nobody sees, because their approval has ended (6.5).
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, literal_column, or_, select

from shared.database.models.configurations import ArchiveConfiguration
from shared.domain.identity.disclosure import NORMAL


def disclosed(table: Any, viewer: UUID | None, opened: Collection[UUID] = ()) -> ColumnElement[bool]:
    """True for the rows of a table of events that the viewer sees whole."""
    normal: ColumnElement[bool] = table.sensitivity == literal_column(f"'{NORMAL}'")
    if viewer is None:
        return normal
    if not opened:
        return or_(normal, table.origin_mailbox_id == viewer)
    return or_(normal, table.origin_mailbox_id.in_([viewer, *sorted(opened)]))


def hidden_sql(alias: str) -> str:
    """The opposite, as SQL text. ``:viewer`` is the viewer's object id or NULL."""
    return (
        f"({alias}.sensitivity <> '{NORMAL}' "
        f"AND {alias}.origin_mailbox_id IS DISTINCT FROM CAST(:viewer AS uuid))"
    )


def configuration_closed(alias: str) -> str:
    """SQL: the configuration of a row is closed to readers, because no approval is valid (domain.md 6.5)."""
    key = f"k.id = {alias}.configuration_id"
    return f"EXISTS (SELECT 1 FROM archive_configurations k WHERE {key} AND k.open_until <= now())"  # noqa: S608


def open_to_readers(configuration_id: Any) -> ColumnElement[bool]:
    """True for rows of configurations that need no approval or have a valid one."""
    closed = select(ArchiveConfiguration.id).where(
        ArchiveConfiguration.id == configuration_id, ArchiveConfiguration.open_until <= func.now()
    )
    return ~closed.exists()

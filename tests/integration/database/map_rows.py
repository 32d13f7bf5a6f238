"""Rows of the map of a configuration, as the tests of its two repositories make them."""

from datetime import timedelta
from typing import Any, cast

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.archiving.archived_events import MapRow, NewMapRow
from shared.database.repositories.archiving.source_identity import SourceIdentityRepository
from tests.support.factories import START

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WITHOUT_COPY = {"copy_id": None, "copy_etag": None, "revision": ""}


def new_row(key: str, **columns: Any) -> NewMapRow:
    """A row that a plan enters."""
    defaults = {
        "source_key": key,
        "source_id": f"id of {key}",
        "ical_uid": f"uid of {key}",
        "original_start": START.isoformat(),
        "state": "creating",
        "start_at": START.isoformat(),
    }
    return cast("NewMapRow", defaults | columns)


def as_source(row: MapRow, key: str, **columns: Any) -> MapRow:
    """The row as that of another source."""
    return row._replace(source_key=key, source_id=f"id of {key}", series_id="series", **columns)


async def write_copy(session: AsyncSession, row: MapRow) -> None:
    """The row has a copy."""
    await session.execute(
        text("UPDATE archived_events SET copy_id = :copy WHERE id = :id"),
        {"copy": f"copy of {row.id}", "id": row.id},
    )


async def row_of(events: SourceIdentityRepository, key: str) -> MapRow:
    """The row of a key."""
    return (await events.by_keys([key]))[key]

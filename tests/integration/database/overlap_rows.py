"""Groups of overlapping events and their members, stored as plans store them."""

import uuid
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.archived_events import ArchivedEvent
from shared.database.models.overlaps import OverlapGroup, OverlapMember
from shared.database.repositories.overlaps.overlap_members import (
    GroupRow,
    MemberRow,
    OverlapMemberRepository,
    Waits,
)
from shared.domain.runs.archived_event import ArchivedEventState
from tests.support.factories import START, Factory

HOUR = timedelta(hours=1)
LATER = START + timedelta(days=30)
WAITS = Waits(expires=LATER, remind=START + timedelta(days=1))


async def flagged_events(make: Factory) -> list[ArchivedEvent]:
    """Three flagged events of one configuration."""
    configuration = await make.configuration()
    flagged = {"state": ArchivedEventState.FLAGGED, "copy_id": None, "copy_etag": None}
    return [
        await make.archived_event(configuration, source_key=f"s:{n}", start_at=START + n * HOUR, **flagged)
        for n in range(3)
    ]


def group_row(group_id: uuid.UUID, status: str = "flagged", count: int = 2) -> GroupRow:
    start, end = START.isoformat(), (START + HOUR).isoformat()
    return GroupRow(id=str(group_id), status=status, member_count=count, log=[], start_at=start, end_at=end)


def member_row(group_id: uuid.UUID, key: str, revision: str = "one") -> MemberRow:
    start, end = START.isoformat(), (START + HOUR).isoformat()
    return MemberRow(
        group_id=str(group_id),
        source_key=key,
        verdict="flagged",
        revision=revision,
        start_at=start,
        end_at=end,
    )


async def store(
    overlaps: OverlapMemberRepository, group_id: uuid.UUID, *keys: str, complete: bool = True, **group: Any
) -> None:
    await overlaps.store(
        uuid.uuid4(),
        [group_row(group_id, count=len(keys), **group)],
        [member_row(group_id, key) for key in keys],
        [group_id] if complete else [],
        START,
        WAITS,
    )


async def members_of(session: AsyncSession, group_id: uuid.UUID) -> dict[str, OverlapMember]:
    rows = await session.execute(
        select(OverlapMember)
        .where(OverlapMember.group_id == group_id)
        .execution_options(populate_existing=True)
    )
    return {row.source_key: row for row in rows.scalars()}


async def stored_group(session: AsyncSession, group_id: uuid.UUID) -> OverlapGroup:
    return await session.get_one(OverlapGroup, group_id, populate_existing=True)

"""Asking a run to stop without the service, as if somebody had asked a moment ago."""

from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.runs import ArchiveRun


async def request_cancel(session: AsyncSession, run_id: UUID) -> None:
    """The run is to stop before its next batch."""
    await session.execute(update(ArchiveRun).where(ArchiveRun.id == run_id).values(cancel_requested=True))

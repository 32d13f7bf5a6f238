"""Telling how far a run is while it works."""

from uuid import UUID

from shared.database.engine import Database
from shared.database.repositories.archive_runs import ArchiveRunRepository
from shared.domain.run_progress import RunStep


class RunProgress:
    """What the row of a run says of its step and percent; neither ever goes back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def enter(self, run_id: UUID, step: RunStep, percent: int) -> None:
        """A running run is at ``step``; one that waits or is over stays as it is."""
        async with self._database.session() as session:
            await ArchiveRunRepository(session).enter_step(run_id, step, percent)

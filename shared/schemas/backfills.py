"""Backfills: the time before the nightly runs, month by month (domain.md 2.14)."""

from datetime import datetime
from typing import TYPE_CHECKING, Literal, Self
from uuid import UUID

from pydantic import Field

from shared.schemas.base import Day, Input, Resource

if TYPE_CHECKING:
    from shared.database.models.configurations import Job
    from shared.database.models.verifications import Backfill
    from shared.domain.backfilling.backfill import BackfillProgress

type BackfillStatusName = Literal["waiting", "running", "paused", "completed"]


class BackfillStart(Input):
    """Where to start or restart. The default is the beginning of the archive."""

    archive_from: Day | None = Field(default=None, examples=["2020-01-01"])


class BackfillResource(Resource):
    """The progress of a backfill. ``waiting``: for its turn, or after a failure until ``next_attempt_at``."""

    configuration_id: UUID
    user_id: UUID
    status: BackfillStatusName
    window_start: datetime
    window_end: datetime
    done_until: datetime
    months_done: int
    months_total: int
    progress: int = Field(description="Percent of all its months.", ge=0, le=100)
    run_id: UUID | None = Field(description="The run of the current month.")
    reason: str | None = Field(description="Why its last month could not be archived.")
    consecutive_failures: int
    next_attempt_at: datetime | None
    requested_by: str
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(
        cls, backfill: "Backfill", job: "Job", progress: "BackfillProgress", state: BackfillStatusName
    ) -> Self:
        """The resource of a backfill, its job and its progress."""
        return cls(
            configuration_id=backfill.configuration_id,
            user_id=backfill.owner_id,
            status=state,
            window_start=backfill.range_start,
            window_end=backfill.range_end,
            done_until=backfill.done_until,
            months_done=progress.months_done,
            months_total=progress.months_total,
            progress=progress.percent,
            run_id=backfill.run_id,
            reason=backfill.reason,
            consecutive_failures=job.consecutive_failures,
            next_attempt_at=None if state in ("completed", "paused") else job.next_run_at,
            requested_by=backfill.requested_by,
            created_at=backfill.created_at,
            finished_at=backfill.finished_at,
        )

"""Queueing a run: the one place where runs come into being (design.md, Start; domain.md 2.11)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared import telemetry
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.runs import ArchiveRun
from shared.database.repositories.archive_runs import ArchiveRunRepository
from shared.domain.archive_run import RunKind, RunMode, RunState
from shared.domain.window import Window
from shared.errors import Conflict
from shared.services.archiving.context import ArchivingPorts


@dataclass(frozen=True, slots=True)
class StartedRun:
    """The run a request led to; ``created`` is False where the same window was being archived already."""

    run: ArchiveRun
    created: bool


async def queue_run(
    ports: ArchivingPorts,
    session: AsyncSession,
    configuration: ArchiveConfiguration,
    window: Window,
    kind: RunKind,
    requested_by: str,
    *,
    mode: RunMode = RunMode.NORMAL,
    job: UUID | None = None,
    scheduled_for: datetime | None = None,
) -> StartedRun:
    """Queue a run in the caller's transaction, or find the open one of the same window and mode.

    Raises Conflict where that one ended at this very moment.
    """
    runs = ArchiveRunRepository(session)
    run = await runs.add(
        ArchiveRun(
            id=uuid4(),
            tenant_id=configuration.tenant_id,
            owner_id=configuration.owner_id,
            configuration_id=configuration.id,
            job_id=job,
            scheduled_for=scheduled_for,
            kind=kind,
            mode=mode,
            window_start=window.start,
            window_end=window.end,
            state=RunState.QUEUED,
            requested_by=requested_by,
            correlation_id=telemetry.correlation_id.get() or telemetry.new_correlation_id(),
            created_at=ports.clock.now(),
        )
    )
    if run is None:
        open_run = await runs.open_for_window(
            configuration.owner_id, configuration.id, window.start, window.end, mode
        )
        if open_run is None:
            raise Conflict("the run of this window ended just now; ask again", retry_after=1)
        return StartedRun(open_run, created=False)
    await ports.audit.record(
        session,
        action="archive_run.requested",
        resource_type="archive_run",
        resource_id=str(run.id),
        outcome="success",
        changes={"window": [window.start.isoformat(), window.end.isoformat()], "kind": str(kind)},
        on_behalf_of=configuration.owner_id,
    )
    return StartedRun(run, created=True)

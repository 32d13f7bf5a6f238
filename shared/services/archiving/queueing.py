"""Queues runs. This is the only place that creates runs (design.md, Start; domain.md 2.11)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.runs import ArchiveRun
from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.domain.runs.archive_run import RunKind, RunMode, RunState
from shared.domain.runs.window import Window
from shared.services.archiving.context import ArchivingPorts
from shared.services.jobs.queueing import Draft, draft, drafted, queue


@dataclass(frozen=True, slots=True)
class StartedRun:
    """The run that a request led to. ``created`` is False if a run of the same window was open already."""

    run: ArchiveRun
    created: bool


type RunDraft = Draft[ArchiveRun]


async def draft_run(
    ports: ArchivingPorts,
    configuration: ArchiveConfiguration,
    window: Window,
    kind: RunKind,
    requested_by: str,
    *,
    mode: RunMode = RunMode.NORMAL,
    job: UUID | None = None,
    scheduled_for: datetime | None = None,
) -> RunDraft:
    """A run for the current caller, with the current correlation id."""
    run = ArchiveRun(
        id=uuid4(),
        job_id=job,
        scheduled_for=scheduled_for,
        kind=kind,
        mode=mode,
        window_start=window.start,
        window_end=window.end,
        state=RunState.QUEUED,
        requested_by=requested_by,
        **drafted(configuration, ports.clock.now()),
    )
    changes = {"window": [window.start.isoformat(), window.end.isoformat()], "kind": str(kind)}
    return await draft(ports.audit, "archive_run", run, configuration, changes)


async def queue_drafts(
    ports: ArchivingPorts, session: AsyncSession, drafts: Sequence[RunDraft]
) -> list[StartedRun]:
    """Queue the drafts, or find the open runs of the same windows and modes. See queueing.queue."""
    started = await queue(session, ports.audit, ArchiveRunRepository(session), drafts, _window)
    return [StartedRun(run, created) for run, created in started]


async def queue_run(
    ports: ArchivingPorts,
    session: AsyncSession,
    configuration: ArchiveConfiguration,
    window: Window,
    kind: RunKind,
    requested_by: str,
    *,
    mode: RunMode = RunMode.NORMAL,
) -> StartedRun:
    """Queue one run for the current caller. Raises as ``queue_drafts`` does."""
    wanted = await draft_run(ports, configuration, window, kind, requested_by, mode=mode)
    return (await queue_drafts(ports, session, [wanted]))[0]


def _window(run: ArchiveRun) -> tuple[UUID, datetime, datetime, str]:
    return run.configuration_id, run.window_start, run.window_end, run.mode

"""Queueing runs: the one place where runs come into being (design.md, Start; domain.md 2.11)."""

from collections.abc import Sequence
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
from shared.services.audit import AuditFact, AuditRow


@dataclass(frozen=True, slots=True)
class StartedRun:
    """The run a request led to; ``created`` is False where the same window was being archived already."""

    run: ArchiveRun
    created: bool


@dataclass(frozen=True, slots=True)
class RunDraft:
    """A run that is not queued yet, with the audit row that goes with it."""

    run: ArchiveRun
    audit: AuditRow


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
    """A run in the name of the caller, and with the correlation, that are bound now."""
    run = ArchiveRun(
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
    fact = AuditFact(
        action="archive_run.requested",
        resource_type="archive_run",
        resource_id=str(run.id),
        outcome="success",
        changes={"window": [window.start.isoformat(), window.end.isoformat()], "kind": str(kind)},
        on_behalf_of=configuration.owner_id,
    )
    return RunDraft(run, await ports.audit.row(fact))


async def queue_drafts(
    ports: ArchivingPorts, session: AsyncSession, drafts: Sequence[RunDraft]
) -> list[StartedRun]:
    """Queue the drafts in the caller's transaction, or find the open runs of the same windows and modes.

    In the order of the drafts, which are of different windows. Raises Conflict where an open run ended at
    this very moment.
    """
    if not drafts:
        return []
    runs = ArchiveRunRepository(session)
    queued = await runs.add_all([draft.run for draft in drafts])
    await ports.audit.add(session, [draft.audit for draft in drafts if draft.run.id in queued])
    refused = [draft.run for draft in drafts if draft.run.id not in queued]
    found = {_window(run): run for run in await runs.open_like(refused)} if refused else {}
    started = []
    for draft in drafts:
        run = queued.get(draft.run.id) or found.get(_window(draft.run))
        if run is None:
            raise Conflict("the run of this window ended just now; ask again", retry_after=1)
        started.append(StartedRun(run, created=draft.run.id in queued))
    return started


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
    """Queue one run in the name of the caller who is bound. Raises as ``queue_drafts`` does."""
    draft = await draft_run(ports, configuration, window, kind, requested_by, mode=mode)
    return (await queue_drafts(ports, session, [draft]))[0]


def _window(run: ArchiveRun) -> tuple[UUID, datetime, datetime, str]:
    return run.configuration_id, run.window_start, run.window_end, run.mode

"""Archive runs that a change over HTTP begins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from shared.schemas import archive_runs
from shared.triggers.archive_workflow import start_archive_run
from shared.triggers.http.endpoint import Reply, Request

if TYPE_CHECKING:
    from shared.database.models.runs import ArchiveRun


def starting(request: Request[Any, Any], run_ids: Iterable[UUID]) -> Callable[[], Awaitable[None]] | None:
    """What starts the orchestrations of new runs after their change is committed. None without any.

    The dispatcher starts what could not be started here (design.md, Start).
    """
    new = tuple(run_ids)

    async def start() -> None:
        for run_id in new:
            await start_archive_run(request.durable_client, run_id)

    return start if new else None


def run_started(
    request: Request[Any, Any], run: ArchiveRun, *, created: bool
) -> Reply[archive_runs.ArchiveRunSummary]:
    """The run, at ``Location``. If it is new, its orchestration is started after the change."""
    return Reply(
        archive_runs.ArchiveRunSummary.summary_of(run, own=False),
        location=f"v1/archive-runs/{run.id}",
        retry_after=1,
        owner_id=run.owner_id,
        then=starting(request, [run.id] if created else []),
    )

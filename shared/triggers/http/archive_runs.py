"""Archive runs over HTTP."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from shared.schemas import archive_runs, base, paging
from shared.triggers.http.endpoint import Endpoints, Reply, Request, page_of
from shared.triggers.http.registry import OWNERS, READERS
from shared.triggers.http.started_runs import starting

if TYPE_CHECKING:
    from shared.services.archiving.service import StartedRun

endpoints = Endpoints(durable=True)


@endpoints.post(
    "v1/archive-configurations/{id}/runs",
    summary="Start an archive run, or find the one in progress",
    access=OWNERS,
    body_optional=True,
    status=202,
    errors=(404, 409),
    durable=True,
)
async def start_archive_run(
    request: Request[archive_runs.ArchiveRunStart],
) -> Reply[archive_runs.ArchiveRunResource]:
    """Answers at once. The run is at ``Location`` (domain.md 2.11)."""
    from shared.domain.runs.archive_run import RunMode

    started = await request.app.archiving.service.start_run(
        request.caller,
        request.id,
        request.body.window_start,
        request.body.window_end,
        RunMode(request.body.mode),
    )
    return _accepted(request, started)


@endpoints.get(
    "v1/archive-runs/{id}", summary="Get an archive run with its report", access=READERS, errors=(404,)
)
async def get_archive_run(request: Request) -> Reply[archive_runs.ArchiveRunResource]:
    """The state of a run. While it is open, ``Retry-After`` says when to ask again."""
    view = await request.app.archiving.service.get_run(request.caller, request.id)
    resource = archive_runs.ArchiveRunResource.of(
        view.run, own=view.own, writes_total=view.planned, writes_done=view.done, problems=view.problems
    )
    return Reply(resource, retry_after=view.ask_again_seconds)


@endpoints.get(
    "v1/archive-configurations/{id}/runs",
    summary="List the runs of a configuration, newest first",
    access=READERS,
    errors=(404,),
    order=("-created_at", "-id"),
)
async def list_archive_runs(
    request: Request[base.NoBody, archive_runs.ConfigurationRunsQuery],
) -> Reply[paging.Page[archive_runs.ArchiveRunSummary]]:
    """Each with its report once it is over; what went wrong in detail is at the run itself."""
    found, own = await request.app.archiving.runs.list(request.caller, request.id, request.query)
    return page_of(found, partial(archive_runs.ArchiveRunSummary.summary_of, own=own))


@endpoints.get(
    "v1/archive-runs",
    summary="List archive runs of a person, or of the whole tenant, newest first",
    access=READERS,
    errors=(404,),
    order=("-created_at", "-id"),
)
async def search_archive_runs(
    request: Request[base.NoBody, archive_runs.ArchiveRunListQuery],
) -> Reply[paging.Page[archive_runs.ArchiveRunSummary]]:
    """For last night's failures: ``troubled=true`` with ``created_from``."""
    found, own = await request.app.archiving.runs.search(request.caller, request.query)
    return page_of(
        found, lambda run: archive_runs.ArchiveRunSummary.summary_of(run, own=run.configuration_id in own)
    )


@endpoints.get(
    "v1/archive-runs/{id}/operations",
    summary="List the writes of a run, in the order of the calendar",
    access=READERS,
    errors=(404,),
    order=("position", "id"),
)
async def list_archive_operations(
    request: Request[base.NoBody, archive_runs.ArchiveOperationListQuery],
) -> Reply[paging.Page[archive_runs.ArchiveOperationResource]]:
    """The result of each event that a run had to write, without contents."""
    found = await request.app.archiving.runs.operations(request.caller, request.id, request.query)
    return Reply(
        paging.Page[archive_runs.ArchiveOperationResource](items=list(found.rows), next=found.next_cursor)
    )


@endpoints.post(
    "v1/archive-runs/{id}/cancel",
    summary="Ask a run to stop before its next batch",
    access=OWNERS,
    status=202,
    errors=(404, 409),
)
async def cancel_archive_run(request: Request) -> Reply[archive_runs.ArchiveRunSummary]:
    """What was written stays, and what was sent is reconciled. A run that is over answers 409."""
    run = await request.app.archiving.runs.cancel(request.caller, request.id)
    return Reply(
        archive_runs.ArchiveRunResource.summary_of(run, own=False),
        location=f"v1/archive-runs/{run.id}",
        retry_after=None if run.finished_at else 1,
        owner_id=run.owner_id,
    )


@endpoints.post(
    "v1/archive-runs/{id}/retry",
    summary="Run the window of a cancelled or failed run again",
    access=OWNERS,
    status=202,
    errors=(404, 409),
    durable=True,
)
async def retry_archive_run(request: Request) -> Reply[archive_runs.ArchiveRunResource]:
    """What is archived already is only read. The new run is at ``Location`` (domain.md 2.12)."""
    return _accepted(request, await request.app.archiving.service.retry_run(request.caller, request.id))


def _accepted(request: Request[Any, Any], started: StartedRun) -> Reply[archive_runs.ArchiveRunResource]:
    run = started.run
    return Reply(
        archive_runs.ArchiveRunResource.of(run, own=False),
        location=f"v1/archive-runs/{run.id}",
        retry_after=1,
        owner_id=run.owner_id,
        then=starting(request, [run.id] if started.created else []),
    )

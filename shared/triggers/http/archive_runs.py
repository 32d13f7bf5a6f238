"""Archive runs over HTTP."""

from functools import partial
from typing import TYPE_CHECKING, Any

from shared.schemas.archive_runs import ArchiveRunResource, ArchiveRunStart
from shared.schemas.base import NoBody, NoQuery
from shared.triggers.archive_workflow import start_archive_run as start_orchestration
from shared.triggers.http.endpoint import Reply, Request, endpoint, new_blueprint
from shared.triggers.http.registry import EVERYONE, WRITERS, Ownership

if TYPE_CHECKING:
    from shared.services.archiving.service import StartedRun

blueprint = new_blueprint()


@endpoint(
    blueprint,
    "POST",
    "v1/archive-configurations/{id}/runs",
    summary="Start an archive run, or find the one that is under way",
    roles=WRITERS,
    ownership=Ownership.OWN_OR_ADMIN,
    body=ArchiveRunStart,
    body_optional=True,
    response=ArchiveRunResource,
    status=202,
    errors=(404, 409),
    durable=True,
)
async def start_archive_run(request: Request[ArchiveRunStart, NoQuery]) -> Reply[ArchiveRunResource]:
    """Answers at once; the run itself is at ``Location`` (domain.md 2.11)."""
    started = await request.app.archiving.start_run(
        request.caller, request.id, request.body.window_start, request.body.window_end
    )
    return _accepted(request, started)


@endpoint(
    blueprint,
    "GET",
    "v1/archive-runs/{id}",
    summary="Get an archive run with its report",
    roles=EVERYONE,
    ownership=Ownership.OWN,
    response=ArchiveRunResource,
    errors=(404,),
)
async def get_archive_run(request: Request[NoBody, NoQuery]) -> Reply[ArchiveRunResource]:
    """The state of a run; while it is open, ``Retry-After`` says when to ask again."""
    view = await request.app.archiving.get_run(request.caller, request.id)
    resource = ArchiveRunResource.of(
        view.run, writes_planned=view.planned, writes_done=view.done, problems=view.problems
    )
    return Reply(resource, retry_after=None if view.run.finished_at else 1)


def _accepted(request: Request[Any, Any], started: "StartedRun") -> Reply[ArchiveRunResource]:
    """The dispatcher starts what could not be started here (design.md, Start)."""
    run = started.run
    return Reply(
        ArchiveRunResource.of(run),
        location=f"v1/archive-runs/{run.id}",
        retry_after=1,
        owner_id=run.owner_id,
        then=partial(start_orchestration, request.durable_client, run.id) if started.created else None,
    )

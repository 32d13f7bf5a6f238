"""Archive runs over HTTP."""

from shared.schemas.archive_runs import ArchiveRunResource, ArchiveRunStart
from shared.schemas.base import NoBody, NoQuery
from shared.triggers.archive_workflow import start_archive_run as start_orchestration
from shared.triggers.http.endpoint import Reply, Request, endpoint, new_blueprint
from shared.triggers.http.registry import EVERYONE, WRITERS, Ownership

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
    if started.created:
        await start_orchestration(request.durable_client, started.run.id)
    return Reply(
        ArchiveRunResource.of(started.run), location=f"v1/archive-runs/{started.run.id}", retry_after=1
    )


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

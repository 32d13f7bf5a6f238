"""Appointments over HTTP."""

from functools import partial

from shared.schemas.appointments import (
    AppointmentListQuery,
    AppointmentResource,
    AppointmentSummary,
    AppointmentUpdate,
)
from shared.schemas.archive_runs import ArchiveRunSummary
from shared.schemas.base import NoBody, NoQuery
from shared.schemas.paging import Page
from shared.schemas.rendered import render_page
from shared.triggers.archive_workflow import start_archive_run as start_run
from shared.triggers.http.endpoint import Reply, Request, endpoint, new_blueprint
from shared.triggers.http.registry import EVERYONE, WRITERS, IfMatch, Ownership

blueprint = new_blueprint()


@endpoint(
    blueprint,
    "GET",
    "v1/appointments",
    summary="List archived appointments that lie in a range, wholly or in part, in order of their start",
    roles=EVERYONE,
    ownership=Ownership.OWN,
    query=AppointmentListQuery,
    response=Page[AppointmentSummary],
    errors=(404,),
)
async def list_appointments(
    request: Request[NoBody, AppointmentListQuery],
) -> Reply[Page[AppointmentSummary]]:
    """Another person's private appointments show their times only (domain.md 6.3)."""
    found = await request.app.appointments.list(request.caller, request.query)
    return Reply(render_page(found.rows, found.next_cursor))


@endpoint(
    blueprint,
    "GET",
    "v1/appointments/{id}",
    summary="Get an archived appointment with its body and people",
    roles=EVERYONE,
    ownership=Ownership.OWN,
    response=AppointmentResource,
    errors=(404,),
)
async def get_appointment(request: Request[NoBody, NoQuery]) -> Reply[AppointmentResource]:
    """Another person's private appointment shows its times only (domain.md 6.3)."""
    found, version = await request.app.appointments.get(request.caller, request.id)
    return Reply(found, version=version)


@endpoint(
    blueprint,
    "PATCH",
    "v1/appointments/{id}",
    summary="Edit an archived appointment: our record and its copy in the archive calendar",
    roles=WRITERS,
    ownership=Ownership.OWN_OR_ADMIN,
    body=AppointmentUpdate,
    response=ArchiveRunSummary,
    status=202,
    errors=(404, 409),
    if_match=IfMatch.REQUIRED,
    durable=True,
)
async def update_appointment(request: Request[AppointmentUpdate, NoQuery]) -> Reply[ArchiveRunSummary]:
    """An archive run, at ``Location``, does it once. A later change of the source still counts (2.4)."""
    started = await request.app.owner_edits.edit(
        request.caller, request.id, request.body.columns(), request.expected
    )
    run = started.run
    return Reply(
        ArchiveRunSummary.summary_of(run),
        location=f"v1/archive-runs/{run.id}",
        retry_after=1,
        owner_id=run.owner_id,
        then=partial(start_run, request.durable_client, run.id),
    )

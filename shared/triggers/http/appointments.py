"""Appointments over HTTP."""

from __future__ import annotations

from shared.schemas import appointments, archive_runs, base, paging, rendered
from shared.triggers.http.endpoint import Endpoints, Reply, Request
from shared.triggers.http.registry import OWNERS, READERS, IfMatch
from shared.triggers.http.started_runs import run_started

endpoints = Endpoints(durable=True)


@endpoints.get(
    "v1/appointments",
    summary="List archived appointments that lie in a range, wholly or in part, in order of their start",
    access=READERS,
    errors=(404,),
    order=("start", "id"),
)
async def list_appointments(
    request: Request[base.NoBody, appointments.AppointmentListQuery],
) -> Reply[paging.Page[appointments.AppointmentSummary]]:
    """Another person's private appointments show only their times (domain.md 6.3)."""
    found = await request.app.review.appointments.list(request.caller, request.query)
    return Reply(rendered.RenderedPage(found.rows, found.next_cursor))


@endpoints.get(
    "v1/appointments/{id}",
    summary="Get an archived appointment with its body and people",
    access=READERS,
    errors=(404,),
)
async def get_appointment(request: Request) -> Reply[appointments.AppointmentResource]:
    """Another person's private appointment shows only its times (domain.md 6.3)."""
    found, version = await request.app.review.appointments.get(request.caller, request.id)
    return Reply(found, version=version)


@endpoints.patch(
    "v1/appointments/{id}",
    summary="Edit an archived appointment: our record and its copy in the archive calendar",
    access=OWNERS,
    status=202,
    errors=(404, 409),
    if_match=IfMatch.REQUIRED,
    durable=True,
)
async def update_appointment(
    request: Request[appointments.AppointmentUpdate],
) -> Reply[archive_runs.ArchiveRunSummary]:
    """An archive run, at ``Location``, does it once. A later change of the source still counts (2.4)."""
    started = await request.app.archiving.owner_edits.edit(
        request.caller, request.id, request.body.columns(), request.expected
    )
    return run_started(request, started.run, created=True)

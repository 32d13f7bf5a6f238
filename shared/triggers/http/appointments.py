"""Appointments over HTTP."""

from shared.schemas.appointments import AppointmentListQuery, AppointmentResource, AppointmentSummary
from shared.schemas.base import NoBody, NoQuery
from shared.schemas.paging import Page
from shared.triggers.http.endpoint import Reply, Request, endpoint, new_blueprint
from shared.triggers.http.registry import EVERYONE, Ownership

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
    return Reply(Page[AppointmentSummary](items=list(found.rows), next=found.next_cursor))


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
    return Reply(await request.app.appointments.get(request.caller, request.id))

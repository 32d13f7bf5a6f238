"""Calendars of a person over HTTP: those of the mailbox and those in our database."""

from __future__ import annotations

from shared.schemas import base, calendars, paging
from shared.triggers.http.endpoint import Endpoints, Reply, Request
from shared.triggers.http.registry import OWNERS, READERS, GraphAccess

endpoints = Endpoints()


@endpoints.get(
    "v1/users/{id}/calendars",
    summary="List a person's calendars: the mailbox's first, then those kept in our database",
    access=READERS,
    errors=(404, 502),
    graph=GraphAccess.ON_BEHALF_OF,
    order=("-store", "-is_default", "name"),
)
async def list_calendars(
    request: Request[base.NoBody, calendars.CalendarListQuery],
) -> Reply[paging.Page[calendars.CalendarResource]]:
    """Each with its reference, and the archive configurations that use it."""
    found = await request.app.calendars.listing.list(
        request.caller, request.id, request.query, request.calendars_of
    )
    return Reply(paging.Page[calendars.CalendarResource](items=list(found.rows), next=found.next_cursor))


@endpoints.post(
    "v1/users/{id}/calendars",
    summary="Make a calendar in a person's mailbox or in our database",
    access=OWNERS,
    status=201,
    errors=(404, 409, 502),
    graph=GraphAccess.ON_BEHALF_OF,
)
async def create_calendar(request: Request[calendars.CalendarCreate]) -> Reply[calendars.CalendarResource]:
    """Refused (409) if the store already has the name. Case is ignored.

    A local one is refused (422, `limit_reached`) if the person already has `max_local_calendars`.
    """
    made = await request.app.calendars.listing.create(
        request.caller, request.id, request.body, request.calendars_of
    )
    local = made.local_calendar_id
    return Reply(
        made,
        location=f"v1/local-calendars/{local}" if local else f"v1/users/{request.id}/calendars",
        owner_id=made.user_id,
    )


@endpoints.post(
    "v1/users/{id}/calendars/resolution",
    summary="Find the calendar that a reference means",
    access=OWNERS,
    errors=(404, 502),
    graph=GraphAccess.ON_BEHALF_OF,
)
async def resolve_calendar(
    request: Request[calendars.CalendarResolution],
) -> Reply[calendars.CalendarResource]:
    """By exact id, else by name, else by its slug. A 422 lists the calendars to choose from."""
    found = await request.app.calendars.listing.resolve(
        request.caller, request.id, request.body.reference, request.calendars_of
    )
    return Reply(found, owner_id=found.user_id)

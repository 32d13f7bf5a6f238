"""Calendars in our database and their events over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.schemas import base, calendars, local_events, paging
from shared.triggers.http.endpoint import Endpoints, Reply, Request
from shared.triggers.http.registry import OWNERS, READERS, IfMatch

if TYPE_CHECKING:
    from shared.services.calendars.local_calendars import OwnedCalendar

endpoints = Endpoints()


@endpoints.get(
    "v1/local-calendars/{id}", summary="Get a calendar kept in our database", access=READERS, errors=(404,)
)
async def get_local_calendar(request: Request) -> Reply[calendars.LocalCalendarResource]:
    """Its id among all calendars, and its reference."""
    return _calendar(await request.app.calendars.local_calendars.get(request.caller, request.id))


@endpoints.patch(
    "v1/local-calendars/{id}",
    summary="Rename a calendar kept in our database",
    access=OWNERS,
    errors=(404, 409),
    if_match=IfMatch.REQUIRED,
)
async def rename_local_calendar(
    request: Request[calendars.LocalCalendarUpdate],
) -> Reply[calendars.LocalCalendarResource]:
    """Archive configurations keep using it."""
    return _calendar(
        await request.app.calendars.local_calendars.rename(
            request.caller, request.id, request.body, request.expected
        )
    )


@endpoints.delete(
    "v1/local-calendars/{id}",
    summary="Delete a calendar kept in our database, with its events",
    access=OWNERS,
    status=204,
    errors=(404, 409),
    if_match=IfMatch.REQUIRED,
)
async def delete_local_calendar(request: Request) -> Reply[None]:
    """Refused (409) while an archive configuration reads or writes it."""
    await request.app.calendars.local_calendars.delete(request.caller, request.id, request.expected)
    return Reply(None)


@endpoints.get(
    "v1/local-calendars/{id}/events",
    summary="List events that lie in a range, wholly or in part, in order of their start",
    access=READERS,
    errors=(404,),
    order=("start", "id"),
)
async def list_local_events(
    request: Request[base.NoBody, local_events.LocalEventListQuery],
) -> Reply[paging.Page[local_events.LocalEventSummary]]:
    """Another person's private events show only their times (domain.md 6.3)."""
    found = await request.app.calendars.local_events.list(request.caller, request.id, request.query)
    return Reply(paging.Page[local_events.LocalEventSummary](items=list(found.rows), next=found.next_cursor))


@endpoints.post(
    "v1/local-calendars/{id}/events", summary="Add an event", access=OWNERS, status=201, errors=(404, 409)
)
async def create_local_event(
    request: Request[local_events.LocalEventCreate],
) -> Reply[local_events.LocalEventResource]:
    """A single event, because local calendars have no series.

    Refused (422, `limit_reached`) if the person already has `max_local_events`.
    """
    made, owner = await request.app.calendars.local_events.create(request.caller, request.id, request.body)
    return Reply(
        made,
        location=f"v1/local-calendars/{request.id}/events/{made.id}",
        version=made.version,
        owner_id=owner,
    )


@endpoints.get(
    "v1/local-calendars/{id}/events/{event_id}",
    summary="Get an event with its body",
    access=READERS,
    errors=(404,),
)
async def get_local_event(request: Request) -> Reply[local_events.LocalEventResource]:
    """Another person's private event shows only its times (domain.md 6.3)."""
    found = await request.app.calendars.local_events.get(request.caller, request.id, request.path["event_id"])
    return Reply(found, version=found.version)


@endpoints.patch(
    "v1/local-calendars/{id}/events/{event_id}",
    summary="Change an event",
    access=OWNERS,
    errors=(404,),
    if_match=IfMatch.REQUIRED,
)
async def update_local_event(
    request: Request[local_events.LocalEventUpdate],
) -> Reply[local_events.LocalEventResource]:
    """Fields that are not named stay. A later archive run archives the change (domain.md 2.4)."""
    found, owner = await request.app.calendars.local_events.update(
        request.caller, request.id, request.path["event_id"], request.body, request.expected
    )
    return Reply(found, version=found.version, owner_id=owner)


@endpoints.delete(
    "v1/local-calendars/{id}/events/{event_id}",
    summary="Delete an event; what was archived of it stays",
    access=OWNERS,
    status=204,
    errors=(404,),
    if_match=IfMatch.REQUIRED,
)
async def delete_local_event(request: Request) -> Reply[None]:
    """Its archived copy is marked, and stays (domain.md 2.4)."""
    await request.app.calendars.local_events.delete(
        request.caller, request.id, request.path["event_id"], request.expected
    )
    return Reply(None)


def _calendar(found: OwnedCalendar) -> Reply[calendars.LocalCalendarResource]:
    from shared.domain.calendars.calendar_reference import CalendarReference
    from shared.domain.calendars.local_calendar import local_id

    row, owner = found.calendar, found.owner
    return Reply(
        calendars.LocalCalendarResource(
            id=row.id,
            user_id=row.owner_id,
            calendar_id=local_id(row.id),
            reference=str(CalendarReference("local", owner.address, row.name)),
            name=row.name,
            version=row.version,
            created_at=row.created_at,
            updated_at=row.updated_at,
        ),
        version=row.version,
        owner_id=owner.id,
    )

"""Emergency access to a person's private events over HTTP (domain.md 6.3)."""

from __future__ import annotations

from shared.schemas import base, break_glass, paging
from shared.triggers.http.endpoint import Endpoints, Reply, Request, page_of
from shared.triggers.http.registry import ADMINS, READERS, IfMatch

endpoints = Endpoints()


@endpoints.post(
    "v1/users/{id}/break-glass-accesses",
    summary="Open an emergency access to a person's private events",
    access=ADMINS,
    status=201,
    errors=(404, 409),
)
async def open_break_glass_access(
    request: Request[break_glass.BreakGlassWish],
) -> Reply[break_glass.BreakGlassResource]:
    """The person is notified at once, with the reason. It ends automatically. Every use is audited.

    The caller, and nobody else, sees the person's private appointments, overlaps and exports. Everything else
    stays masked.
    """
    body = request.body
    opened = await request.app.people.break_glass.open(request.caller, request.id, body.reason, body.minutes)
    return Reply(
        break_glass.BreakGlassResource.of(opened),
        location=f"v1/break-glass-accesses/{opened.id}",
        version=opened.version,
        owner_id=opened.owner_id,
    )


@endpoints.get(
    "v1/break-glass-accesses",
    summary="List emergency accesses, in the order they were opened",
    access=READERS,
    order=("opened_at", "id"),
)
async def list_break_glass_accesses(
    request: Request[base.NoBody, paging.PageQuery],
) -> Reply[paging.Page[break_glass.BreakGlassResource]]:
    """For Admins and Auditors, the tenant's. For others, those to their own events."""
    query = request.query
    found = await request.app.people.break_glass.list(request.caller, query.after, query.limit)
    return page_of(found, break_glass.BreakGlassResource.of)


@endpoints.get(
    "v1/break-glass-accesses/{id}",
    summary="Get an emergency access",
    access=READERS,
    errors=(404,),
)
async def get_break_glass_access(request: Request) -> Reply[break_glass.BreakGlassResource]:
    """One that is visible to the caller."""
    found = await request.app.people.break_glass.get(request.caller, request.id)
    return Reply(break_glass.BreakGlassResource.of(found), version=found.version)


@endpoints.post(
    "v1/break-glass-accesses/{id}/close",
    summary="Close an emergency access before its time",
    access=ADMINS,
    errors=(404,),
    if_match=IfMatch.HONOURED,
)
async def close_break_glass_access(request: Request) -> Reply[break_glass.BreakGlassResource]:
    """By any Admin. The person is notified."""
    found = await request.app.people.break_glass.close(request.caller, request.id, request.expected)
    return Reply(break_glass.BreakGlassResource.of(found), version=found.version, owner_id=found.owner_id)

"""Exports and erasures of a person's data over HTTP (domain.md 15.2, 15.3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from shared.schemas import base, paging, people
from shared.triggers.http.endpoint import Endpoints, Reply, Request, page_of
from shared.triggers.http.registry import ADMINS, OWNERS, PREFIX, GraphAccess
from shared.triggers.people_workflow import start_user_erasure as start_erasing
from shared.triggers.people_workflow import start_user_export as start_exporting

if TYPE_CHECKING:
    from shared.database.models.people import UserErasure
    from shared.schemas.paging import Slice

endpoints = Endpoints(durable=True)

_PARTS: Final = {
    "X-Next-Offset": "Where the next part begins; absent from the last one.",
    "X-Total-Length": "The length of the whole file in bytes.",
    "Link": 'The next part as a link: `</api/v1/…?offset=…>; rel="next"`.',
}


@endpoints.post(
    "v1/users/{id}/exports",
    summary="Ask for everything we hold on a person",
    access=OWNERS,
    body_optional=True,
    status=202,
    errors=(403, 404, 409, 503),
    durable=True,
)
async def request_user_export(request: Request[people.ExportWish]) -> Reply[people.UserExportResource]:
    """Answers at once. The export is at ``Location``. Only one is prepared at a time.

    A person is notified when somebody else requests their export. It then has only the times of their private
    events.

    Refused (422, `limit_reached`) after `max_exports_per_day` requests by anyone within 24 hours.
    """
    requested = await request.app.people.exports.request(
        request.caller, request.id, private_events=request.body.private_events
    )
    export = requested.export
    return Reply(
        people.UserExportResource.of(export),
        location=f"v1/user-exports/{export.id}",
        retry_after=1,
        owner_id=export.owner_id,
        then=partial(start_exporting, request.durable_client, export.id) if requested.created else None,
    )


@endpoints.get(
    "v1/users/{id}/exports",
    summary="List a person's exports, newest first",
    access=OWNERS,
    errors=(404,),
    order=("-created_at", "-id"),
)
async def list_user_exports(
    request: Request[base.NoBody, paging.PageQuery],
) -> Reply[paging.Page[people.UserExportResource]]:
    """Those that have not expired."""
    found = await request.app.people.exports.of_person(request.caller, request.id, request.query)
    return page_of(found, people.UserExportResource.of)


@endpoints.get("v1/user-exports/{id}", summary="Get an export and its progress", access=OWNERS, errors=(404,))
async def get_user_export(request: Request) -> Reply[people.UserExportResource]:
    """While it is prepared, ``Retry-After`` says when to ask again. It is deleted at ``expires_at``."""
    export = await request.app.people.exports.get(request.caller, request.id)
    return Reply(people.UserExportResource.of(export), retry_after=None if export.finished_at else 1)


@endpoints.get(
    "v1/user-exports/{id}/content",
    summary="Get the file of an export, a zip archive",
    access=OWNERS,
    errors=(403, 404, 409, 503),
    media_type="application/zip",
    response_headers=_PARTS,
)
async def get_user_export_content(
    request: Request[base.NoBody, people.UserExportContentQuery],
) -> Reply[None]:
    """At most 16 MiB from ``offset`` on. ``X-Next-Offset`` says where the next part begins."""
    part = await request.app.people.exports.content(request.caller, request.id, request.query.offset)
    headers = {
        "Content-Disposition": f'attachment; filename="export-{request.id}.zip"',
        "X-Total-Length": str(part.total),
    }
    if part.following is not None:
        headers["X-Next-Offset"] = str(part.following)
        headers["Link"] = f'</{PREFIX}/{request.relative_path}?offset={part.following}>; rel="next"'
    return Reply(None, headers=headers, content=part.content)


@endpoints.post(
    "v1/users/{id}/erasures",
    summary="Ask for the erasure of a person, with a preview",
    access=ADMINS,
    body_optional=True,
    status=201,
    errors=(404, 409, 503),
)
async def request_user_erasure(request: Request[people.ErasureWish]) -> Reply[people.UserErasureResource]:
    """Nothing is deleted before it is confirmed. The 409 names what blocks it (domain.md 15.3)."""
    erasure = await request.app.people.erasures.request(
        request.caller, request.id, remove_copies=request.body.remove_copies
    )
    return _reply(erasure)


@endpoints.get(
    "v1/users/{id}/erasures",
    summary="List a person's erasures, newest first",
    access=ADMINS,
    errors=(404,),
    order=("-created_at", "-id"),
)
async def list_user_erasures(
    request: Request[base.NoBody, paging.PageQuery],
) -> Reply[paging.Page[people.UserErasureResource]]:
    """Also for a person who is gone. Then there are only counts."""
    return _page(await request.app.people.erasures.of_person(request.caller, request.id, request.query))


@endpoints.get(
    "v1/user-erasures",
    summary="List the erasures of the tenant, newest first",
    access=ADMINS,
    order=("-created_at", "-id"),
)
async def search_user_erasures(
    request: Request[base.NoBody, people.ErasureListQuery],
) -> Reply[paging.Page[people.UserErasureResource]]:
    """``confirmable=true`` lists those that the caller, as second Admin, may confirm."""
    return _page(await request.app.people.erasures.search(request.caller, request.query))


@endpoints.get(
    "v1/user-erasures/{id}", summary="Get an erasure and its progress", access=ADMINS, errors=(404,)
)
async def get_user_erasure(request: Request) -> Reply[people.UserErasureResource]:
    """Its report stays after the person is gone, because it has only counts."""
    return _reply(await request.app.people.erasures.get(request.caller, request.id))


@endpoints.post(
    "v1/user-erasures/{id}/confirm",
    summary="Confirm an erasure and let it begin",
    access=ADMINS,
    status=202,
    errors=(404, 409),
    durable=True,
    graph=GraphAccess.APPLICATION,
)
async def confirm_user_erasure(request: Request) -> Reply[people.UserErasureResource]:
    """By another Admin, or after 7 days by the requester. A second call continues a failed one."""
    erasure = await request.app.people.erasures.confirm(request.caller, request.id)
    return _reply(erasure, then=partial(start_erasing, request.durable_client, erasure.id))


@endpoints.post(
    "v1/user-erasures/{id}/withdraw",
    summary="Take back the request for an erasure",
    access=ADMINS,
    errors=(404, 409),
)
async def withdraw_user_erasure(request: Request) -> Reply[people.UserErasureResource]:
    """Once it has begun, it cannot be withdrawn."""
    return _reply(await request.app.people.erasures.withdraw(request.caller, request.id))


def _page(found: Slice[UserErasure]) -> Reply[paging.Page[people.UserErasureResource]]:
    return page_of(found, people.UserErasureResource.of)


def _reply(
    erasure: UserErasure, then: Callable[[], Awaitable[None]] | None = None
) -> Reply[people.UserErasureResource]:
    from shared.domain.people.departure import ErasureState

    resource = people.UserErasureResource.of(erasure)
    under_way = erasure.state == ErasureState.ERASING
    # The answer is not the person's: it holds counts alone, and they may be gone before it is kept.
    return Reply(
        resource, location=f"v1/user-erasures/{erasure.id}", retry_after=1 if under_way else None, then=then
    )

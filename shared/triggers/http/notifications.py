"""Notifications over HTTP."""

from shared.schemas.base import NoBody, NoQuery
from shared.schemas.notifications import (
    NotificationListQuery,
    NotificationPage,
    NotificationResource,
    NotificationsMarked,
    NotificationsRead,
    NotificationUpdate,
)
from shared.triggers.http.endpoint import Reply, Request, endpoint, new_blueprint
from shared.triggers.http.registry import EVERYONE, WRITERS, IfMatch, Ownership

blueprint = new_blueprint()


@endpoint(
    blueprint,
    "GET",
    "v1/notifications",
    summary="List what the caller was told, newest first",
    roles=EVERYONE,
    ownership=Ownership.ADDRESSED,
    query=NotificationListQuery,
    response=NotificationPage,
)
async def list_notifications(request: Request[NoBody, NotificationListQuery]) -> Reply[NotificationPage]:
    """Nobody sees another's; Admins also see what is for the tenant's Admins, as that a job was paused."""
    told = await request.app.notifications.list(request.caller, request.query)
    items = [NotificationResource.of(row) for row in told.page.rows]
    return Reply(NotificationPage(items=items, next=told.page.next_cursor, unread=told.unread))


@endpoint(
    blueprint,
    "GET",
    "v1/notifications/{id}",
    summary="Get a notification",
    roles=EVERYONE,
    ownership=Ownership.ADDRESSED,
    response=NotificationResource,
    errors=(404,),
)
async def get_notification(request: Request[NoBody, NoQuery]) -> Reply[NotificationResource]:
    """To look at it does not mark it read."""
    row = await request.app.notifications.get(request.caller, request.id)
    return Reply(NotificationResource.of(row), version=row.version)


@endpoint(
    blueprint,
    "PATCH",
    "v1/notifications/{id}",
    summary="Mark a notification read, or unread again",
    roles=WRITERS,
    ownership=Ownership.ADDRESSED,
    body=NotificationUpdate,
    response=NotificationResource,
    errors=(404,),
    if_match=IfMatch.REQUIRED,
)
async def update_notification(request: Request[NotificationUpdate, NoQuery]) -> Reply[NotificationResource]:
    """One for the tenant's Admins is read for all of them by the first who reads it."""
    row = await request.app.notifications.mark(
        request.caller, request.id, read=request.body.read, expected=request.expected
    )
    return Reply(NotificationResource.of(row), version=row.version, owner_id=row.owner_id)


@endpoint(
    blueprint,
    "POST",
    "v1/notifications/read",
    summary="Mark everything read that the caller was told up to an instant",
    roles=WRITERS,
    ownership=Ownership.ADDRESSED,
    body=NotificationsRead,
    response=NotificationsMarked,
)
async def read_notifications(request: Request[NotificationsRead, NoQuery]) -> Reply[NotificationsMarked]:
    """Send the ``updated_at`` of the newest one shown: what came meanwhile stays unread."""
    marked, owner = await request.app.notifications.mark_all(request.caller, request.body.until)
    return Reply(NotificationsMarked(marked=marked), owner_id=owner)

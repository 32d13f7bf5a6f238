"""Notifications over HTTP."""

from __future__ import annotations

from shared.schemas import base, notifications
from shared.triggers.http.endpoint import Endpoints, Reply, Request
from shared.triggers.http.registry import EVERYONE, WRITERS, AccessRule, IfMatch, Ownership

endpoints = Endpoints()


@endpoints.get(
    "v1/notifications",
    summary="List what the caller was told, newest first",
    access=AccessRule(EVERYONE, Ownership.ADDRESSED),
    order=("-created_at", "-id"),
)
async def list_notifications(
    request: Request[base.NoBody, notifications.NotificationListQuery],
) -> Reply[notifications.NotificationPage]:
    """People see only their own. Admins also see those for the tenant's Admins, such as a paused job."""
    told = await request.app.review.notifications.list(request.caller, request.query)
    items = [notifications.NotificationResource.of(row) for row in told.page.rows]
    return Reply(notifications.NotificationPage(items=items, next=told.page.next_cursor, unread=told.unread))


@endpoints.get(
    "v1/notifications/{id}",
    summary="Get a notification",
    access=AccessRule(EVERYONE, Ownership.ADDRESSED),
    errors=(404,),
)
async def get_notification(request: Request) -> Reply[notifications.NotificationResource]:
    """Reading it does not mark it as read."""
    row = await request.app.review.notifications.get(request.caller, request.id)
    return Reply(notifications.NotificationResource.of(row), version=row.version)


@endpoints.patch(
    "v1/notifications/{id}",
    summary="Mark a notification read, or unread again",
    access=AccessRule(WRITERS, Ownership.ADDRESSED),
    errors=(404,),
    if_match=IfMatch.REQUIRED,
)
async def update_notification(
    request: Request[notifications.NotificationUpdate],
) -> Reply[notifications.NotificationResource]:
    """One for the tenant's Admins becomes read for all of them when the first one reads it."""
    row = await request.app.review.notifications.mark(
        request.caller, request.id, read=request.body.read, expected=request.expected
    )
    return Reply(notifications.NotificationResource.of(row), version=row.version, owner_id=row.owner_id)


@endpoints.post(
    "v1/notifications/read",
    summary="Mark everything read that the caller was told up to an instant",
    access=AccessRule(WRITERS, Ownership.ADDRESSED),
)
async def read_notifications(
    request: Request[notifications.NotificationsRead],
) -> Reply[notifications.NotificationsMarked]:
    """Send the ``updated_at`` of the newest one shown. Later ones stay unread."""
    marked, owner = await request.app.review.notifications.mark_all(request.caller, request.body.until)
    return Reply(notifications.NotificationsMarked(marked=marked), owner_id=owner)

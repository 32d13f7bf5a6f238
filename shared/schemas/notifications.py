"""Notifications to people (domain.md 10)."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self
from uuid import UUID

from pydantic import Field

from shared.domain.notifications.notification import (
    Audience,
    NotificationClass,
    NotificationState,
    NotificationSubject,
)
from shared.schemas.base import Changes, Input, Instant, Resource, absent, columns_of
from shared.schemas.paging import Page, PageQuery

if TYPE_CHECKING:
    from shared.database.models.notifications import Notification


class NotificationListQuery(PageQuery):
    """Selects notifications: read or not, of one kind."""

    unread: bool | None = Field(default=None, description="true: those nobody has read; false: the others.")
    kind: Annotated[NotificationClass, Field(strict=False)] | None = None


class NotificationUpdate(Changes):
    """The changes of a notification."""

    read: bool = Field(default_factory=absent)


class NotificationsRead(Input):
    """Up to when everything is read. Later or changed ones stay unread."""

    until: Instant


class NotificationsMarked(Resource):
    """How many were unread before."""

    marked: int


class NotificationResource(Resource):
    """One notification, without any content of events (domain.md 6.3).

    ``transaction_id`` stays the same when it is updated, for example while a backfill continues. ``user_id``
    is the owner of the archive. With the audience ``admins``, the tenant's Admins share it. ``count`` is the
    number of things it is about. ``resource_type`` and ``resource_id`` name what to look at.
    """

    id: UUID
    user_id: UUID
    audience: Audience
    kind: NotificationClass
    transaction_id: str
    status: NotificationState
    title: str
    text: str
    progress: int | None = Field(description="How far it is, where its status is progress.", ge=0, le=100)
    count: int
    resource_type: NotificationSubject
    resource_id: UUID
    read: bool
    read_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: "Notification") -> Self:
        """The resource of a row."""
        named = columns_of(row, cls, "read", kind="class_", progress="percent")
        return cls(**named, read=row.read_at is not None)


class NotificationPage(Page[NotificationResource]):
    """One page, newest first. ``unread`` counts all unread ones, whatever the filters are."""

    unread: int

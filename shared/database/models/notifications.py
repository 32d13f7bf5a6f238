"""Notifications (domain.md 10)."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.base import Base, Identified, Versioned, one_of, partial_index
from shared.domain.notifications.notification import (
    Audience,
    NotificationClass,
    NotificationState,
    NotificationSubject,
)


class Notification(Identified, Versioned, Base):
    """One notification. A second one with its ``transaction_id`` updates this row."""

    __tablename__ = "notifications"
    tenant_id: Mapped[uuid.UUID]
    #: The owner of the archive it is about.
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    #: With ``admins``, the tenant's Admins see it. The first one who reads it reads it for all.
    audience: Mapped[str] = mapped_column(default=Audience.OWNER)
    class_: Mapped[str] = mapped_column("class")
    transaction_id: Mapped[str]
    title: Mapped[str]
    text: Mapped[str]
    state: Mapped[str]
    percent: Mapped[int | None] = mapped_column(Integer)
    #: The number of things it is about.
    count: Mapped[int] = mapped_column(Integer, default=0, server_default=sql("0"))
    resource_type: Mapped[str]
    resource_id: Mapped[uuid.UUID]
    read_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("owner_id", "transaction_id"),
        Index("ix_notifications_owner_id_created_at_id", "owner_id", "created_at", "id"),
        partial_index("ix_notifications_unread", "owner_id", where="read_at IS NULL"),
        partial_index(
            "ix_notifications_admins", "tenant_id", "created_at", "id", where="audience = 'admins'"
        ),
        CheckConstraint(one_of("audience", Audience), name="audience"),
        CheckConstraint(one_of("class", NotificationClass), name="class"),
        CheckConstraint(one_of("state", NotificationState), name="state"),
        CheckConstraint(one_of("resource_type", NotificationSubject), name="resource_type"),
        CheckConstraint("percent BETWEEN 0 AND 100", name="percent"),
        CheckConstraint("(state = 'progress') <= (percent IS NOT NULL)", name="progress"),
        CheckConstraint("count >= 0", name="count"),
    )

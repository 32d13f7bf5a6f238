"""Action items about archived meetings (domain.md 2.4, 2.16, 2.17)."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, FetchedValue, ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.base import Base, Identified, Versioned, one_of, partial_index
from shared.domain.action_items.items import (
    ActionItemKind,
    ActionItemStatus,
    Answer,
    CloseReason,
    Question,
    Side,
)


class ActionItem(Identified, Versioned, Base):
    """One question to the owner of an archive."""

    __tablename__ = "action_items"
    tenant_id: Mapped[uuid.UUID]
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    configuration_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archive_configurations.id"))
    kind: Mapped[str]
    question: Mapped[str]
    status: Mapped[str]
    #: What is asked (``domain.action_items.about``). An archive has one open item of each.
    about: Mapped[str]
    answer: Mapped[str | None]
    answered_at: Mapped[datetime | None]
    answered_by: Mapped[str | None]
    #: The answer before the item was reopened.
    proposal: Mapped[str | None]
    closed_reason: Mapped[str | None]
    #: ``start_at`` and ``end_at`` span its events.
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]
    opened_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    #: Since when a run must carry its answer out.
    due_at: Mapped[datetime | None]
    carried_out_at: Mapped[datetime | None]
    #: When the next reminder is due while it is open.
    remind_at: Mapped[datetime | None]
    reminders_sent: Mapped[int] = mapped_column(SmallInteger, default=0, server_default=text("0"))
    #: The series, its shape, and the range that was compared (``SeriesItemRepository``).
    series: Mapped[dict[str, Any] | None]
    log: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'"))
    __table_args__ = (
        Index("ix_action_items_owner_id_opened_at_id", "owner_id", "opened_at", "id"),
        Index("ix_action_items_configuration_id_status", "configuration_id", "status"),
        Index("ix_action_items_owner_id_about", "owner_id", "about"),
        partial_index(
            "uq_action_items_open", "configuration_id", "about", where="status = 'open'", unique=True
        ),
        partial_index("ix_action_items_expires_at", "expires_at", where="status = 'open'"),
        partial_index("ix_action_items_remind_at", "remind_at", where="status = 'open'"),
        partial_index("ix_action_items_due_at", "due_at", where="due_at IS NOT NULL"),
        CheckConstraint(one_of("kind", ActionItemKind), name="kind"),
        CheckConstraint(one_of("question", Question), name="question"),
        CheckConstraint(one_of("status", ActionItemStatus), name="status"),
        CheckConstraint(one_of("answer", Answer), name="answer"),
        CheckConstraint(one_of("proposal", Answer), name="proposal"),
        CheckConstraint(one_of("closed_reason", CloseReason), name="closed_reason"),
        CheckConstraint("reminders_sent BETWEEN 0 AND 3", name="reminders_sent"),
        CheckConstraint("start_at <= end_at", name="interval"),
    )


class ActionItemEvent(Base):
    """A meeting that an item is about, with its revision when the item was last checked. Times are UTC."""

    __tablename__ = "action_item_events"
    item_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("action_items.id", ondelete="CASCADE"), primary_key=True
    )
    source_key: Mapped[str] = mapped_column(primary_key=True)
    side: Mapped[str] = mapped_column(primary_key=True)
    configuration_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archive_configurations.id"))
    #: The map row of the side ``archived``, because its key may change.
    archived_event_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("archived_events.id"))
    origin_mailbox_id: Mapped[uuid.UUID | None] = mapped_column(FetchedValue())
    source_id: Mapped[str]
    revision: Mapped[str]
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]
    #: For a new event: its future appointment, without the body.
    record: Mapped[dict[str, Any] | None]
    __table_args__ = (
        Index("ix_action_item_events_configuration_id_source_key", "configuration_id", "source_key"),
        Index("ix_action_item_events_archived_event_id", "archived_event_id"),
        CheckConstraint(one_of("side", Side), name="side"),
        CheckConstraint("(side = 'archived') <= (archived_event_id IS NOT NULL)", name="archived_event_id"),
    )

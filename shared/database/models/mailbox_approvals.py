"""Approvals to archive another person's mailbox (domain.md 6.5)."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.base import Base, Identified, Versioned, one_of, partial_index
from shared.domain.approvals.mailbox_approval import ApprovalState


class MailboxApproval(Identified, Versioned, Base):
    """What one configuration may read of another person's mailbox, into which archive, why and until when."""

    __tablename__ = "mailbox_approvals"
    tenant_id: Mapped[uuid.UUID]
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    configuration_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("archive_configurations.id"), index=True)
    #: The object id of the person read.
    person_id: Mapped[uuid.UUID]
    #: The object id of the archive calendar's person.
    archive_person_id: Mapped[uuid.UUID]
    source_mailbox_id: Mapped[uuid.UUID]
    source_calendar_id: Mapped[str]
    archive_mailbox_id: Mapped[uuid.UUID]
    archive_calendar_id: Mapped[str]
    purpose: Mapped[str]
    days: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(default=ApprovalState.REQUESTED)
    requested_by: Mapped[str]
    #: When it starts automatically, unless the person objects.
    starts_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    #: It ends if its owner loses the role Admin.
    given_to_admin: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    #: Since when the person lets it hold their private events whole.
    details_agreed_at: Mapped[datetime | None]
    objected_by: Mapped[str | None]
    objected_at: Mapped[datetime | None]
    __table_args__ = (
        partial_index(
            "uq_mailbox_approvals_in_force",
            "configuration_id",
            where="state IN ('approved', 'objected')",
            unique=True,
        ),
        partial_index(
            "uq_mailbox_approvals_requested", "configuration_id", where="state = 'requested'", unique=True
        ),
        Index("ix_mailbox_approvals_tenant_id_created_at_id", "tenant_id", "created_at", "id"),
        Index("ix_mailbox_approvals_person_id", "person_id"),
        CheckConstraint(one_of("state", ApprovalState), name="state"),
        CheckConstraint("days BETWEEN 1 AND 365", name="days"),
        CheckConstraint("(state = 'approved') <= (ends_at IS NOT NULL)", name="ends_at"),
    )


class AdminSighting(Base):
    """When a person last signed in with the role Admin. Only tokens show roles."""

    __tablename__ = "admin_sightings"
    tenant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    object_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime]


class MailboxAssistant(Base):
    """The assistant who acts for the person of a mailbox. Both are object ids."""

    __tablename__ = "mailbox_assistants"
    tenant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    mailbox_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    assistant_id: Mapped[uuid.UUID] = mapped_column(index=True)
    named_at: Mapped[datetime]

"""Mail to send, and its state (domain.md 10.1)."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.base import Base, Identified, Timestamped, one_of, partial_index
from shared.domain.notifications.outgoing_mail import MailState


class OutgoingMail(Identified, Timestamped, Base):
    """One mail to a person who is not a user here, written in the transaction of its cause."""

    __tablename__ = "mail_outbox"
    tenant_id: Mapped[uuid.UUID]
    #: An object id.
    person_id: Mapped[uuid.UUID]
    key: Mapped[str]
    resource_type: Mapped[str]
    resource_id: Mapped[uuid.UUID]
    subject: Mapped[str]
    #: Emptied when it is sent or given up.
    body: Mapped[str]
    state: Mapped[str] = mapped_column(default=MailState.WAITING)
    attempts: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    #: An attempt got no clear answer, so it may be sent already.
    uncertain: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    #: The next attempt, or the end of the present sender's claim.
    next_attempt_at: Mapped[datetime]
    error_code: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("tenant_id", "key"),
        partial_index("ix_mail_outbox_due", "next_attempt_at", where="state IN ('waiting', 'sending')"),
        partial_index("ix_mail_outbox_unsent", "tenant_id", where="state <> 'sent'"),
        Index("ix_mail_outbox_person_id", "person_id"),
        Index("ix_mail_outbox_resource_id", "resource_id"),
        CheckConstraint(one_of("state", MailState), name="state"),
        CheckConstraint("attempts >= 0", name="attempts"),
        CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent_at"),
    )

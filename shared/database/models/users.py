"""People whose mailboxes we work on."""

import uuid
from datetime import datetime

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.base import Base, Identified, Versioned


class User(Identified, Versioned, Base):
    """A person whose mailbox we work on, identified by tenant and Entra object id (domain.md 1)."""

    __tablename__ = "users"
    tenant_id: Mapped[uuid.UUID]
    object_id: Mapped[uuid.UUID]
    address: Mapped[str]
    display_name: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    offboarded_at: Mapped[datetime | None]
    legal_hold_reason: Mapped[str | None]
    legal_hold_since: Mapped[datetime | None]
    __table_args__ = (
        UniqueConstraint("tenant_id", "object_id"),
        Index("uq_users_tenant_id_address", "tenant_id", text("lower(address)"), unique=True),
        Index("ix_users_tenant_id_created_at_id", "tenant_id", "created_at", "id"),
    )

    @property
    def legal_hold(self) -> bool:
        """True while nothing of this person may be erased (domain.md 15.3)."""
        return self.legal_hold_since is not None

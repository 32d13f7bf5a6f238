"""Emergency accesses of Admins to people's private events (domain.md 6.3)."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.base import Base, Identified, Versioned, partial_index


class BreakGlassAccess(Identified, Versioned, Base):
    """One access: ``admin_id`` (object id) sees the private events of ``owner_id`` (our id)."""

    __tablename__ = "break_glass_accesses"
    tenant_id: Mapped[uuid.UUID]
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    admin_id: Mapped[uuid.UUID]
    reason: Mapped[str]
    opened_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]
    __table_args__ = (
        Index("ix_break_glass_accesses_tenant_id_created_at_id", "tenant_id", "created_at", "id"),
        partial_index(
            "ix_break_glass_accesses_open", "tenant_id", "admin_id", "ends_at", where="closed_at IS NULL"
        ),
        CheckConstraint("ends_at > opened_at", name="ends_at"),
        CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name="closed_by"),
    )

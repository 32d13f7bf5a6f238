"""The audit and its chain."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.base import Base, Identified


class AuditEntry(Identified, Base):
    """One state change by anyone; append-only (domain.md 7.1)."""

    __tablename__ = "audit_entries"
    tenant_id: Mapped[uuid.UUID]
    occurred_at: Mapped[datetime]
    actor: Mapped[str]
    on_behalf_of: Mapped[uuid.UUID | None]
    action: Mapped[str]
    resource_type: Mapped[str]
    resource_id: Mapped[str]
    outcome: Mapped[str]
    correlation_id: Mapped[str]
    parent_correlation_id: Mapped[str | None]
    source_ip: Mapped[str | None]
    changes: Mapped[dict[str, Any]]
    __table_args__ = (
        Index("ix_audit_entries_tenant_id_occurred_at_id", "tenant_id", "occurred_at", "id"),
        Index("ix_audit_entries_on_behalf_of_occurred_at_id", "on_behalf_of", "occurred_at", "id"),
        Index("ix_audit_entries_resource_id_occurred_at_id", "resource_id", "occurred_at", "id"),
        Index("ix_audit_entries_correlation_id", "correlation_id"),
        CheckConstraint("outcome IN ('success', 'failure')", name="outcome"),
    )


class AuditSeal(Base):
    """One position of a tenant's chain of audit rows. Append-only (domain.md 7.1).

    It has no foreign key, because a verification must be able to find deleted rows.
    """

    __tablename__ = "audit_seals"
    tenant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    audit_id: Mapped[uuid.UUID] = mapped_column(unique=True)
    previous_hash: Mapped[str]
    hash: Mapped[str]
    __table_args__ = (CheckConstraint("position >= 1", name="position"),)

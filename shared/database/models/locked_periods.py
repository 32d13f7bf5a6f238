"""Periods into which no run writes any more (domain.md 2.8)."""

import uuid
from datetime import date, datetime

from sqlalchemy import DDL, CheckConstraint, ForeignKey, Index, event, func, text
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.base import Base, Identified


class LockedPeriodRow(Identified, Base):
    """Local days of one customer, or of all (``*``), that a finalised timesheet locked.

    A reopened one stays for the record and locks nothing.
    """

    __tablename__ = "period_locks"
    tenant_id: Mapped[uuid.UUID]
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    customer_key: Mapped[str] = mapped_column(default="*", server_default=text("'*'"))
    period: Mapped[Range[date]] = mapped_column(DATERANGE)
    locked_at: Mapped[datetime] = mapped_column(server_default=func.now())
    locked_by: Mapped[str]
    reopened_at: Mapped[datetime | None]
    reopened_by: Mapped[str | None]
    __table_args__ = (
        ExcludeConstraint(
            ("owner_id", "="),
            ("customer_key", "="),
            ("period", "&&"),
            where=text("reopened_at IS NULL"),
            using="gist",
            name="ex_period_locks_period",
        ),
        Index("ix_period_locks_owner_id_locked_at_id", "owner_id", "locked_at", "id"),
        CheckConstraint("NOT isempty(period) AND lower(period) IS NOT NULL", name="period"),
    )


# Equality in a GiST index needs the extension. A migration creates it.
_EXTENSION = DDL("CREATE EXTENSION IF NOT EXISTS btree_gist")  # type: ignore[no-untyped-call]
event.listen(LockedPeriodRow.__table__, "before_create", _EXTENSION)

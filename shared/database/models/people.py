"""Requests about a person's data, and erasure (domain.md 15)."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.base import Base, Driven, one_of, partial_index
from shared.domain.people.departure import ErasureState, ErasureStep, ExportState


class UserExport(Driven, Base):
    """Everything we store about a person, as one file in storage (domain.md 15.2)."""

    __tablename__ = "user_exports"
    tenant_id: Mapped[uuid.UUID]
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    requested_by: Mapped[str]
    #: The emergency access that lets it contain private events, if somebody else requested it (6.3).
    break_glass_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("break_glass_accesses.id"), index=True
    )
    state: Mapped[str] = mapped_column(default=ExportState.QUEUED, server_default=text("'queued'"))
    parts_done: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    parts_total: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    rows: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None]
    failure: Mapped[str | None]
    correlation_id: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    __table_args__ = (
        Index("ix_user_exports_owner_id_created_at_id", "owner_id", "created_at", "id"),
        partial_index(
            "uq_user_exports_open", "owner_id", where="state IN ('queued', 'running')", unique=True
        ),
        CheckConstraint(one_of("state", ExportState), name="state"),
    )


class UserErasure(Driven, Base):
    """The erasure of a person: who requested it, who confirmed it, and what was deleted (domain.md 15.3).

    It outlives the person. So it refers to them by an id that no longer exists, and holds only counts.
    """

    __tablename__ = "user_erasures"
    tenant_id: Mapped[uuid.UUID]
    user_id: Mapped[uuid.UUID]
    requested_by: Mapped[str]
    confirmed_by: Mapped[str | None]
    remove_copies: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    state: Mapped[str] = mapped_column(default=ErasureState.REQUESTED, server_default=text("'requested'"))
    step: Mapped[str] = mapped_column(default=ErasureStep.STOP, server_default=text("'stop'"))
    preview: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    report: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    failure: Mapped[str | None]
    correlation_id: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    confirmed_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    __table_args__ = (
        Index("ix_user_erasures_tenant_id_created_at_id", "tenant_id", "created_at", "id"),
        partial_index(
            "uq_user_erasures_open",
            "user_id",
            where="state IN ('requested', 'erasing', 'failed')",
            unique=True,
        ),
        CheckConstraint(one_of("state", ErasureState), name="state"),
        CheckConstraint(one_of("step", ErasureStep), name="step"),
    )

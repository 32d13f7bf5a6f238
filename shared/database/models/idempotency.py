"""Stored answers for callers that repeat a change."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, Integer, Text, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.base import Base, Identified


class IdempotencyKey(Identified, Base):
    """The answer to a change that its caller may repeat. Inserted before the change, in its transaction.

    Without ``status``, the change is in progress, and nobody else sees the row.
    """

    __tablename__ = "idempotency_keys"
    tenant_id: Mapped[uuid.UUID]
    caller: Mapped[str]
    operation: Mapped[str]
    key: Mapped[str]
    request_hash: Mapped[bytes]
    #: The caller's roles at that time.
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list, server_default=text("'{}'"))
    #: The person whose data the answer is about. Erasing them deletes the row.
    owner_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    status: Mapped[int | None] = mapped_column(Integer)
    headers: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    body: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        UniqueConstraint("tenant_id", "caller", "operation", "key"),
        Index("ix_idempotency_keys_created_at", "created_at"),
        CheckConstraint("octet_length(body) <= 65536", name="body"),
    )

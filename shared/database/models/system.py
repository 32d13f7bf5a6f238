"""Tenants: who may sign in, settings, invitations."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.base import Base, Identified, Versioned, one_of, partial_index
from shared.domain.identity.first_sign_in import InvitationState


class Tenant(Versioned, Base):
    """A further tenant whose people may use the app. The home tenant is a setting, not a row."""

    __tablename__ = "tenants"
    #: Entra's tenant id.
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    added_by: Mapped[str]
    __table_args__ = (Index("ix_tenants_created_at_id", "created_at", "id"),)


class SystemSetting(Base):
    """A tenant's settings. Whatever is not in ``chosen`` is the installation's default."""

    __tablename__ = "system_settings"
    tenant_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    chosen: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    version: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    updated_by: Mapped[str | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Invitation(Identified, Base):
    """An address whose owner becomes a user at their first sign-in. Only one is open at a time."""

    __tablename__ = "invitations"
    tenant_id: Mapped[uuid.UUID]
    address: Mapped[str]
    invited_by: Mapped[str]
    state: Mapped[str] = mapped_column(default=InvitationState.OPEN, server_default=text("'open'"))
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    closed_at: Mapped[datetime | None]
    __table_args__ = (
        partial_index(
            "uq_invitations_open", "tenant_id", text("lower(address)"), where="state = 'open'", unique=True
        ),
        Index("ix_invitations_tenant_id_created_at_id", "tenant_id", "created_at", "id"),
        CheckConstraint(one_of("state", InvitationState), name="state"),
    )

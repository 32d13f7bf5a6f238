"""Our own categories besides Outlook's, and a person's rules for applying them (domain.md 3.6)."""

import uuid

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.models.base import Base, Identified, Versioned, one_of
from shared.domain.categories.suggestions import Relation


class LocalCategory(Identified, Versioned, Base):
    """A category of a person that Outlook need not know.

    ``name_key`` is the name for comparison (``domain.categories.customer_key``).
    """

    __tablename__ = "local_categories"
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str]
    name_key: Mapped[str]
    color: Mapped[str]
    __table_args__ = (
        UniqueConstraint("owner_id", "name_key"),
        CheckConstraint("color ~ '^(none|preset([0-9]|1[0-9]|2[0-4]))$'", name="color"),
    )


class CategoryRuleRow(Identified, Versioned, Base):
    """Events with this trait get this category. ``match_key`` is ``match`` for comparison."""

    __tablename__ = "category_rules"
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    relation: Mapped[str]
    match: Mapped[str]
    match_key: Mapped[str]
    category: Mapped[str]
    auto_apply: Mapped[bool]
    __table_args__ = (
        UniqueConstraint("owner_id", "relation", "match_key"),
        CheckConstraint(one_of("relation", Relation), name="relation"),
    )

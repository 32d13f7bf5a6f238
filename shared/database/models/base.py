"""What all tables share: names of constraints, types of columns."""

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, Date, DateTime, Index, Integer, MetaData, Text, TextClause, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


def one_of(column: str, values: type[StrEnum]) -> str:
    """SQL of the CHECK that ``column`` has one of the enumeration's values."""
    return f"{column} IN ({', '.join(repr(str(v)) for v in values)})"


def partial_index(name: str, *columns: str | TextClause, where: str, unique: bool = False) -> Index:
    """An index of the rows that meet the SQL condition ``where``."""
    return Index(name, *columns, unique=unique, postgresql_where=text(where))


class Base(DeclarativeBase):
    """Declarative base with predictable constraint names and timestamptz for every datetime."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: DateTime(timezone=True),
        date: Date,
        str: Text,
        bool: Boolean,
        uuid.UUID: UUID(as_uuid=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
        list[str]: ARRAY(Text),
        list[uuid.UUID]: ARRAY(UUID(as_uuid=True)),
    }


class Identified:
    """A row with an id of its own."""

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)


class Driven(Identified):
    """A row whose work an orchestration carries out."""

    #: When its orchestration was last started, or known to be alive.
    dispatched_at: Mapped[datetime | None]


class Timestamped:
    """When a row was made and last changed, in UTC."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=1)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=1)


class Versioned(Timestamped):
    """A row whose changes are counted, for If-Match."""

    version: Mapped[int] = mapped_column(Integer, default=1, server_default=text("1"), sort_order=1)

    def touch(self, now: datetime) -> None:
        """Count a change that is made at ``now``."""
        self.version += 1
        self.updated_at = now

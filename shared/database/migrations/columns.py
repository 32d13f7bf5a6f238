"""Types and columns that many tables have, and the values that a column may have."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column
from sqlalchemy.dialects import postgresql

UUID = sa.UUID()
TEXT = sa.Text()
TEXTS = postgresql.ARRAY(TEXT)
JSONB = postgresql.JSONB()
FLAG = sa.Boolean()
INTEGER = sa.Integer()
BIGINT = sa.BigInteger()
TIME = sa.DateTime(timezone=True)
NOW = sa.text("now()")


def flag(name: str) -> Column[bool]:
    """A column that is false unless something else is stored."""
    return Column(name, FLAG, server_default=sa.text("false"), nullable=False)


def timestamps() -> tuple[Column[Any], ...]:
    """When a row was made and last changed."""
    return tuple(
        Column(name, TIME, server_default=NOW, nullable=False) for name in ("created_at", "updated_at")
    )


def versioned() -> tuple[Column[Any], ...]:
    """How often a row was changed, and its timestamps."""
    return (Column("version", INTEGER, server_default=sa.text("1"), nullable=False), *timestamps())


def allow_values(table: str, column: str, values: Iterable[str]) -> None:
    """Let a column, whose values are checked already, have exactly these from now on."""
    name = op.f(f"ck_{table}_{column}")
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, f"{column} IN ({', '.join(repr(value) for value in values)})")

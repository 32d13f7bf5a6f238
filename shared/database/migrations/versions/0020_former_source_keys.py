"""Source keys that a row of the map had before it was re-pointed (domain.md 2.18)."""

from alembic import op
from sqlalchemy import TEXT, Column, text
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A constant default: no table is rewritten."""
    op.add_column(
        "archived_events",
        Column("former_keys", ARRAY(TEXT()), server_default=text("'{}'"), nullable=False),
    )
    op.create_index(
        "ix_archived_events_former_keys",
        "archived_events",
        ["owner_id"],
        postgresql_where=text("former_keys <> '{}'"),
    )

"""An index for counting the events that a person entered (domain.md 6.6)."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add ``ix_local_events_owner_id_entered``."""
    op.create_index(
        "ix_local_events_owner_id_entered",
        "local_events",
        ["owner_id"],
        postgresql_where=sa.text("archive_key IS NULL"),
    )

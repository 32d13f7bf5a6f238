"""The source's subject of an event whose copy its owner named otherwise (domain.md 2.16)."""

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add a column. The previous version of the app leaves it empty."""
    op.execute("ALTER TABLE appointments ADD COLUMN source_subject text")

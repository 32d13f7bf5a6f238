"""An index of archives with an end, because lists check for each row whether its archive is closed (6.5)."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = depends_on = None


def upgrade() -> None:
    """Few configurations have an end, so the index is small and quickly created."""
    op.create_index(
        "ix_archive_configurations_open_until",
        "archive_configurations",
        ["id"],
        postgresql_where=sa.text("open_until IS NOT NULL"),
    )

"""The runs of a tenant in the order of time."""

from alembic import op

revision = "0031"
down_revision = "0029"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add an index; the previous version of the app reads and writes as before."""
    op.create_index(None, "archive_runs", ["tenant_id", "created_at", "id"])

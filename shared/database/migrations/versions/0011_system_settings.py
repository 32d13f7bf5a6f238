"""Settings of a tenant."""

revision = "0011"
down_revision = "0010"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add system settings."""

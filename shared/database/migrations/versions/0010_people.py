"""People who join, leave and are erased; further tenants."""

revision = "0010"
down_revision = "0009"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add tenants, invitations and erasures."""

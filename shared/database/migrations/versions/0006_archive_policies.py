"""Policies of configurations, modifications, overlap groups, locked periods."""

revision = "0006"
down_revision = "0005"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add what the rules of domain.md 2 to 6 keep."""

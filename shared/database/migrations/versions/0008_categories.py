"""Categories and the rules a person made for them."""

revision = "0008"
down_revision = "0007"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add categories kept here."""

"""A verification compares copies by their origin, for all configurations (domain.md 2.19)."""

from shared.database.migrations.columns import allow_values

revision = "0018"
down_revision = "0017"
branch_labels = depends_on = None


def upgrade() -> None:
    """Let ``verification_items`` hold the origins of copies. What the previous version writes stays valid."""
    allow_values("verification_items", "side", ("source", "copy", "origin"))

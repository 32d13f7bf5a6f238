"""A verification compares copies by their origin, for all configurations (domain.md 2.19)."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = depends_on = None


def upgrade() -> None:
    """Let ``verification_items`` hold the origins of copies. What the previous version writes stays valid."""
    name = op.f("ck_verification_items_side")
    op.drop_constraint(name, "verification_items")
    op.create_check_constraint(name, "verification_items", "side IN ('source', 'copy', 'origin')")

"""An archived event may be consumed by its meeting, left out, or waiting for its overlap to be resolved."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = depends_on = None

_CHECK = "ck_archived_events_state"
_STATES = (
    *("creating", "present", "merged", "removed_by_owner", "source_deleted"),
    *("consumed", "left_out", "flagged"),
)


def upgrade() -> None:
    """Allow the new states; the previous version of the app never writes them."""
    op.drop_constraint(op.f(_CHECK), "archived_events", type_="check")
    op.create_check_constraint(
        op.f(_CHECK), "archived_events", f"state IN ({', '.join(repr(state) for state in _STATES)})"
    )

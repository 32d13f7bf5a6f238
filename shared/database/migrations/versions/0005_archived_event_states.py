"""An archived event may be consumed by its meeting, left out, or waiting for its overlap to be resolved."""

from shared.database.migrations.columns import allow_values

revision = "0005"
down_revision = "0004"
branch_labels = depends_on = None

_STATES = (
    *("creating", "present", "merged", "removed_by_owner", "source_deleted"),
    *("consumed", "left_out", "flagged"),
)


def upgrade() -> None:
    """Allow the new states; the previous version of the app never writes them."""
    allow_values("archived_events", "state", _STATES)

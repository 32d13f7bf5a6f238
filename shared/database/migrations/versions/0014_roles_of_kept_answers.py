"""The roles of the caller, with each stored answer."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add ``idempotency_keys.roles``. Answers stored so far have no particular role."""
    op.add_column(
        "idempotency_keys",
        Column("roles", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    )

"""Categories and the rules a person made for them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

from shared.database.migrations import grants
from shared.database.migrations.columns import FLAG, TEXT, UUID, versioned

revision = "0008"
down_revision = "0007"
branch_labels = depends_on = None


def upgrade() -> None:
    """Add ``local_categories`` and ``category_rules``."""
    op.create_table(
        "local_categories",
        Column("id", UUID, primary_key=True),
        Column("owner_id", UUID, sa.ForeignKey("users.id"), nullable=False),
        Column("name", TEXT, nullable=False),
        Column("name_key", TEXT, nullable=False),
        Column("color", TEXT, nullable=False),
        *versioned(),
        sa.CheckConstraint("color ~ '^(none|preset([0-9]|1[0-9]|2[0-4]))$'", name="color"),
        sa.UniqueConstraint("owner_id", "name_key"),
    )
    op.create_table(
        "category_rules",
        Column("id", UUID, primary_key=True),
        Column("owner_id", UUID, sa.ForeignKey("users.id"), nullable=False),
        Column("relation", TEXT, nullable=False),
        Column("match", TEXT, nullable=False),
        Column("match_key", TEXT, nullable=False),
        Column("category", TEXT, nullable=False),
        Column("auto_apply", FLAG, nullable=False),
        *versioned(),
        sa.CheckConstraint("relation IN ('series', 'subject', 'domain', 'location')", name="relation"),
        sa.UniqueConstraint("owner_id", "relation", "match_key"),
    )
    grants.grant_to_app_user(grants.READ_AND_WRITE, "local_categories", "category_rules")

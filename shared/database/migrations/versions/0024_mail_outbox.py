"""Mail to people who are no users here (domain.md 6.5, 10.1)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

from shared.database.migrations.columns import INTEGER, TEXT, TIME, UUID, flag, timestamps
from shared.database.migrations.grants import READ_AND_WRITE, grant_to_app_user

revision = "0024"
down_revision = "0023"
branch_labels = depends_on = None

TABLE = "mail_outbox"


def upgrade() -> None:
    """Make the outbox."""
    op.create_table(
        TABLE,
        Column("id", UUID, primary_key=True),
        Column("tenant_id", UUID, nullable=False),
        Column("person_id", UUID, nullable=False),
        Column("key", TEXT, nullable=False),
        Column("resource_type", TEXT, nullable=False),
        Column("resource_id", UUID, nullable=False),
        Column("subject", TEXT, nullable=False),
        Column("body", TEXT, nullable=False),
        Column("state", TEXT, nullable=False),
        Column("attempts", INTEGER, server_default=sa.text("0"), nullable=False),
        flag("uncertain"),
        Column("next_attempt_at", TIME, nullable=False),
        Column("error_code", TEXT),
        Column("sent_at", TIME),
        *timestamps(),
        sa.CheckConstraint("attempts >= 0", name="attempts"),
        sa.CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent_at"),
        sa.CheckConstraint("state IN ('waiting', 'sending', 'sent', 'dead')", name="state"),
        sa.UniqueConstraint("tenant_id", "key"),
    )
    for columns, name, where in (
        (["next_attempt_at"], "ix_mail_outbox_due", sa.text("state IN ('waiting', 'sending')")),
        (["tenant_id"], "ix_mail_outbox_unsent", sa.text("state <> 'sent'")),
        (["person_id"], "ix_mail_outbox_person_id", None),
        (["resource_id"], "ix_mail_outbox_resource_id", None),
    ):
        op.create_index(name, TABLE, columns, postgresql_where=where)
    grant_to_app_user(READ_AND_WRITE, TABLE)

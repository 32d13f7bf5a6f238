"""Revokes temporary tables from the app's role."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = depends_on = None


def upgrade() -> None:
    """Revoke TEMPORARY on this database, which PostgreSQL grants to everybody.

    Nothing in the app creates temporary tables. With this right, stolen credentials could fill the disk. They
    could also shadow our tables, because PostgreSQL finds a temporary table before the table of the same
    name.
    """
    op.execute("""
        DO $$ BEGIN
            EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE WARNING 'TEMPORARY cannot be revoked: migrations do not run as the owner of the database';
        END $$
    """)

"""The app's role makes no temporary tables."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = depends_on = None


def upgrade() -> None:
    """Revoke TEMPORARY on this database, which PostgreSQL grants to everybody.

    Nothing in the app makes a temporary table. With the right, stolen credentials could fill the disk. They
    could also shadow our tables: a temporary table is found before the table of the same name.
    """
    op.execute("""
        DO $$ BEGIN
            EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE WARNING 'TEMPORARY cannot be revoked: migrations do not run as the owner of the database';
        END $$
    """)

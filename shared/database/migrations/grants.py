"""Rights of ``app_user``, the role of the app. Each migration grants what its new tables need."""

from alembic import op
from sqlalchemy import text

READ_AND_WRITE = "SELECT, INSERT, UPDATE, DELETE"
#: For tables that nobody may rewrite (domain.md 7.1).
APPEND_ONLY = "SELECT, INSERT"
READ_ONLY = "SELECT"


def create_app_user() -> None:
    """Create the role, without login, if it is missing and we may. A login role is then granted it."""
    # Roles belong to the whole server, so another database's migration may create it at the same moment.
    op.execute("""
        DO $$ BEGIN
            IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'app_user')
               AND (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user) THEN
                CREATE ROLE app_user NOLOGIN;
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END $$
    """)


def grant_to_app_user(rights: str, *tables: str) -> None:
    """Grant rights on tables to ``app_user`` if that role exists."""
    if op.get_bind().scalar(text("SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'app_user')")):
        op.execute(f"GRANT {rights} ON {', '.join(tables)} TO app_user")

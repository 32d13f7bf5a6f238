"""The migration revision of the database."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from shared.database.repositories.base import Repository

_REVISION = text("SELECT version_num FROM alembic_version")


@dataclass(frozen=True, slots=True)
class ConnectedRole:
    """The app's role in the database, and the server's time (UTC)."""

    name: str
    is_superuser: bool
    owns_tables: bool
    now: datetime


_ROLE = text("""
    SELECT current_user, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
           EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user),
           clock_timestamp()
""")


class SchemaRepository(Repository):
    """What the database says about itself. Alembic's own table holds one row."""

    async def revision(self) -> str | None:
        """The revision of the schema. None before the first migration."""
        found: str | None = (await self._session.execute(_REVISION)).scalar_one_or_none()
        return found

    async def role(self) -> ConnectedRole:
        """The role of this connection."""
        name, is_superuser, owns_tables, now = (await self._session.execute(_ROLE)).one()
        return ConnectedRole(name, is_superuser, owns_tables, now)

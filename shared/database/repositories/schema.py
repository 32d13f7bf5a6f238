"""Which migration the database is at."""

from sqlalchemy import text

from shared.database.repositories.base import Repository

_REVISION = text("SELECT version_num FROM alembic_version")


class SchemaRepository(Repository):
    """Alembic's own table, which holds one row."""

    async def revision(self) -> str | None:
        """The revision of the schema; None before the first migration."""
        found: str | None = (await self._session.execute(_REVISION)).scalar_one_or_none()
        return found

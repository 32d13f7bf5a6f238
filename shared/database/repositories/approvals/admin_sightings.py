"""Whether a person was seen with the role Admin, in one cheap statement (domain.md 6.5)."""

from uuid import UUID

from shared.database.engine import Database
from shared.database.prepared import PreparedRead

_KNOWN = PreparedRead(
    "SELECT object_id FROM admin_sightings WHERE tenant_id = :tenant AND object_id = :person"
)


class AdminSightings:
    """Reads the ``admin_sightings`` table outside a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def known(self, tenant_id: UUID, person: UUID) -> bool:
        """Whether the person (object id) was recorded as an Admin."""
        return bool(await self._database.fetch(_KNOWN, {"tenant": tenant_id, "person": person}))

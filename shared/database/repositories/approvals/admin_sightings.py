"""Whether a person was seen with the role Admin, in one cheap statement (domain.md 6.5)."""

from uuid import UUID

from sqlalchemy import bindparam, select

from shared.database.engine import Database
from shared.database.models.mailbox_approvals import AdminSighting
from shared.database.prepared import PreparedRead

_SIGHTING = AdminSighting.__table__.c
_KNOWN = PreparedRead(
    select(_SIGHTING.object_id).where(
        _SIGHTING.tenant_id == bindparam("tenant"), _SIGHTING.object_id == bindparam("person")
    )
)


class AdminSightings:
    """Reads the ``admin_sightings`` table outside a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def known(self, tenant_id: UUID, person: UUID) -> bool:
        """Whether the person (object id) was recorded as an Admin."""
        return bool(await self._database.fetch(_KNOWN, {"tenant": tenant_id, "person": person}))

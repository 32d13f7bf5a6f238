"""The ``system_settings`` table: a tenant's choices instead of the installation's defaults."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from shared.database.models.system import SystemSetting
from shared.database.repositories.base import Repository


class SystemSettingRepository(Repository):
    """The ``system_settings`` table: at most one row per tenant."""

    async def get(self, tenant_id: UUID) -> SystemSetting | None:
        """The tenant's choices. None while it has made none."""
        return await self._one(select(SystemSetting).where(SystemSetting.tenant_id == tenant_id))

    async def lock(self, tenant_id: UUID) -> SystemSetting:
        """The tenant's choices, created if needed, and locked until the transaction ends."""
        made = insert(SystemSetting).values(tenant_id=tenant_id, chosen={}, version=0)
        await self._session.execute(made.on_conflict_do_nothing())
        statement = select(SystemSetting).where(SystemSetting.tenant_id == tenant_id)
        found = await self._session.execute(
            statement.with_for_update().execution_options(populate_existing=True)
        )
        return found.scalar_one()

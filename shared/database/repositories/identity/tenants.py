"""Further tenants whose people may use the app (design.md, Who may)."""

from uuid import UUID

from sqlalchemy import select

from shared.database.models.system import Tenant
from shared.database.repositories.base import Keyset, Repository, page


class TenantRepository(Repository):
    """The ``tenants`` table. It belongs to the home tenant, and only its Admins see it."""

    async def add(self, tenant: Tenant) -> Tenant:
        """Insert the tenant. Raises AlreadyExists if it exists."""
        await self._insert(tenant)
        return tenant

    async def get(self, tenant_id: UUID, *, lock: bool = False) -> Tenant | None:
        """A further tenant, active or not. ``lock`` holds it until the transaction ends."""
        statement = select(Tenant).where(Tenant.id == tenant_id)
        return await self._one(statement, lock=lock)

    async def active_ids(self) -> frozenset[UUID]:
        """Every tenant whose people have access."""
        return frozenset(await self._session.scalars(select(Tenant.id).where(Tenant.active)))

    async def is_active(self, tenant_id: UUID) -> bool:
        """Whether the people of this tenant have access."""
        found = await self._session.scalar(select(Tenant.id).where(Tenant.id == tenant_id, Tenant.active))
        return found is not None

    async def list(self, after: Keyset | None, limit: int) -> list[Tenant]:
        """Further tenants in the order they were added."""
        return await self._all(page(select(Tenant), (Tenant.created_at, Tenant.id), after, limit))

"""Further tenants."""

from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.constraint_errors import AlreadyExists
from shared.database.models.system import Tenant
from shared.database.repositories.identity.tenants import TenantRepository
from tests.support.factories import Factory


async def test_only_active_ones_have_access(session: AsyncSession, make: Factory) -> None:
    tenants = TenantRepository(session)
    active, shut = await make.tenant(), await make.tenant(active=False)
    assert await tenants.active_ids() == {active.id}
    assert await tenants.is_active(active.id)
    assert not await tenants.is_active(shut.id)
    assert not await tenants.is_active(uuid4())


async def test_pages_in_the_order_of_adding(session: AsyncSession, make: Factory) -> None:
    made = [await make.tenant() for _ in range(3)]
    tenants = TenantRepository(session)
    ordered = sorted(made, key=lambda tenant: (tenant.created_at, tenant.id))
    first = await tenants.list(None, 2)
    assert first == ordered[:2]
    assert await tenants.list((first[-1].created_at, first[-1].id), 2) == ordered[2:]


async def test_a_tenant_is_there_once(session: AsyncSession, make: Factory) -> None:
    tenant = await make.tenant()
    assert await TenantRepository(session).get(tenant.id, lock=True) is tenant
    session.expunge(tenant)
    with pytest.raises(AlreadyExists, match="This tenant"):
        await TenantRepository(session).add(Tenant(id=tenant.id, name="Again", added_by="test"))

"""A tenant's choice of settings."""

import asyncio
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.database.repositories.operation.system_settings import SystemSettingRepository


async def test_a_row_is_made_when_it_must_be_changed(session: AsyncSession) -> None:
    settings, tenant = SystemSettingRepository(session), uuid4()
    assert await settings.get(tenant) is None
    row = await settings.lock(tenant)
    assert (row.chosen, row.version) == ({}, 0)
    assert await settings.lock(tenant) is row
    assert await settings.get(tenant) is row
    assert await settings.get(uuid4()) is None


async def test_changes_of_one_tenant_take_turns(database: Database) -> None:
    tenant = uuid4()

    async def count() -> None:
        async with database.session() as session:
            row = await SystemSettingRepository(session).lock(tenant)
            row.version += 1

    await asyncio.gather(*(count() for _ in range(4)))
    async with database.session() as session:
        assert (await SystemSettingRepository(session).lock(tenant)).version == 4

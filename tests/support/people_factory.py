"""Rows of people and of what is kept about them; every keyword overrides a column."""

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.audit import AuditEntry
from shared.database.models.base import Base
from shared.database.models.people import UserErasure, UserExport
from shared.database.models.system import Invitation, Tenant
from shared.database.models.users import User
from tests.support.records import START

#: The tenant of every row that names no other.
TENANT = uuid.UUID("11111111-1111-4111-8111-111111111111")
#: Shared by all factories of the process: several of them may write to one database.
NUMBERS = itertools.count(1)


class PeopleFactory:
    """Adds rows to a session and flushes, so that their ids and defaults are there."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def user(self, **columns: Any) -> User:
        """An active person of the tenant."""
        number = next(NUMBERS)
        defaults = {
            "tenant_id": TENANT,
            "object_id": uuid.uuid4(),
            "address": f"person{number}@example.com",
            "display_name": f"Person {number}",
        }
        return await self._add(User(**(defaults | columns)))

    async def tenant(self, **columns: Any) -> Tenant:
        """An active further tenant."""
        defaults = {"id": uuid.uuid4(), "name": "Contoso", "added_by": "user:test"}
        return await self._add(Tenant(**(defaults | columns)))

    async def invitation(self, **columns: Any) -> Invitation:
        """An open invitation that holds for a month."""
        defaults = {
            "tenant_id": TENANT,
            "address": f"invited{next(NUMBERS)}@example.com",
            "invited_by": "user:test",
            "expires_at": datetime.now(UTC) + timedelta(days=30),
        }
        return await self._add(Invitation(**(defaults | columns)))

    async def user_export(self, owner_id: uuid.UUID, **columns: Any) -> UserExport:
        """A queued export of a person's data."""
        defaults = {
            "tenant_id": TENANT,
            "owner_id": owner_id,
            "requested_by": "system:test",
            "correlation_id": uuid.uuid4().hex,
        }
        return await self._add(UserExport(**(defaults | columns)))

    async def user_erasure(self, user: User, **columns: Any) -> UserErasure:
        """A request for the erasure of a person, made by the system."""
        defaults = {
            "tenant_id": user.tenant_id,
            "user_id": user.id,
            "requested_by": "system:test",
            "correlation_id": uuid.uuid4().hex,
        }
        return await self._add(UserErasure(**(defaults | columns)))

    async def audit_entry(self, **columns: Any) -> AuditEntry:
        """A successful change made by the system."""
        defaults = {
            "tenant_id": TENANT,
            "occurred_at": START,
            "actor": "system:test",
            "action": "user.create",
            "resource_type": "user",
            "resource_id": str(uuid.uuid4()),
            "outcome": "success",
            "correlation_id": uuid.uuid4().hex,
            "changes": {},
        }
        return await self._add(AuditEntry(**(defaults | columns)))

    async def _add[Row: Base](self, row: Row) -> Row:
        self._session.add(row)
        await self._session.flush()
        return row

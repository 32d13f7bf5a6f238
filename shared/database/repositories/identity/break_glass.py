"""Emergency accesses to private events (domain.md 6.3)."""

from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select

from shared.database.models.break_glass import BreakGlassAccess
from shared.database.models.users import User
from shared.database.repositories.base import Keyset, Repository, page


class BreakGlassRepository(Repository):
    """The ``break_glass_accesses`` table."""

    async def add(self, access: BreakGlassAccess) -> BreakGlassAccess:
        """Insert it."""
        await self._insert(access)
        return access

    async def get(
        self, tenant_id: UUID, access_id: UUID, owner_id: UUID | None, *, lock: bool = False
    ) -> BreakGlassAccess | None:
        """One of the tenant. With ``owner_id``, only about that user."""
        statement = select(BreakGlassAccess).where(
            *_scope(tenant_id, owner_id), BreakGlassAccess.id == access_id
        )
        return await self._one(statement, lock=lock)

    async def list(
        self, tenant_id: UUID, owner_id: UUID | None, after: Keyset | None, limit: int
    ) -> list[BreakGlassAccess]:
        """Accesses in the order they were opened. With ``owner_id``, only those about that user."""
        statement = select(BreakGlassAccess).where(*_scope(tenant_id, owner_id))
        key = (BreakGlassAccess.created_at, BreakGlassAccess.id)
        return await self._all(page(statement, key, after, limit))

    async def open_of(self, tenant_id: UUID, admin_id: UUID, owner_id: UUID) -> BreakGlassAccess | None:
        """The open access of an Admin (object id) to a user (our id)."""
        return await self._one(
            select(BreakGlassAccess)
            .where(*_scope(tenant_id, owner_id), BreakGlassAccess.admin_id == admin_id, _open())
            .order_by(BreakGlassAccess.ends_at.desc())
            .limit(1)
        )

    async def opened_to(self, tenant_id: UUID, admin_id: UUID) -> frozenset[UUID]:
        """The people (object ids) whose private events an Admin (object id) may see now."""
        statement = (
            select(User.object_id)
            .join(BreakGlassAccess, BreakGlassAccess.owner_id == User.id)
            .where(BreakGlassAccess.tenant_id == tenant_id, BreakGlassAccess.admin_id == admin_id, _open())
        )
        return frozenset((await self._session.execute(statement)).scalars())


def _open() -> ColumnElement[bool]:
    return and_(BreakGlassAccess.closed_at.is_(None), BreakGlassAccess.ends_at > func.now())


def _scope(tenant_id: UUID, owner_id: UUID | None) -> list[ColumnElement[bool]]:
    scope = [BreakGlassAccess.tenant_id == tenant_id]
    return scope if owner_id is None else [*scope, BreakGlassAccess.owner_id == owner_id]

"""The people whose mailboxes we work on (domain.md 1)."""

from uuid import UUID

from sqlalchemy import bindparam, func, or_, select

from shared.database.models.users import User
from shared.database.repositories.base import Keyset, Repository, page

# Every request needs its caller, so the statement is built once.
_BY_OBJECT_ID = select(User).where(
    User.tenant_id == bindparam("tenant"), User.object_id == bindparam("object")
)


class UserRepository(Repository):
    """The ``users`` table, always in one tenant."""

    async def add(self, user: User) -> User:
        """Insert the user. Raises AlreadyExists if object id or address is taken in the tenant."""
        await self._insert(user)
        return user

    async def get(self, tenant_id: UUID, user_id: UUID) -> User | None:
        """The user of the tenant, active or not."""
        return await self._one(select(User).where(User.tenant_id == tenant_id, User.id == user_id))

    async def lock(self, tenant_id: UUID, user_id: UUID) -> User | None:
        """The user, locked until the transaction ends."""
        return await self._one(
            select(User)
            .where(User.tenant_id == tenant_id, User.id == user_id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )

    async def get_by_object_id(self, tenant_id: UUID, object_id: UUID) -> User | None:
        """The user with this Entra object id."""
        return await self._one(_BY_OBJECT_ID, {"tenant": tenant_id, "object": object_id})

    async def get_by_address(self, tenant_id: UUID, address: str) -> User | None:
        """The user with this mailbox address. Case is ignored."""
        return await self._one(
            select(User).where(
                User.tenant_id == tenant_id, func.lower(User.address) == func.lower(address.strip())
            )
        )

    async def list(
        self,
        tenant_id: UUID,
        after: Keyset | None,
        limit: int,
        address: str | None = None,
        *,
        name: str | None = None,
        active: bool | None = None,
        user_id: UUID | None = None,
    ) -> list[User]:
        """Users of the tenant in the order they were added. With ``address``, only the one who has it.

        ``name`` is a part of a name or an address. Case is ignored. ``user_id`` selects only that user.
        """
        statement = select(User).where(User.tenant_id == tenant_id)
        if user_id is not None:
            statement = statement.where(User.id == user_id)
        if address is not None:
            statement = statement.where(func.lower(User.address) == func.lower(address.strip()))
        if name is not None:
            part = func.lower(name)
            statement = statement.where(
                or_(
                    func.strpos(func.lower(User.display_name), part) > 0,
                    func.strpos(func.lower(User.address), part) > 0,
                )
            )
        if active is not None:
            statement = statement.where(User.active == active)
        return await self._all(page(statement, (User.created_at, User.id), after, limit))

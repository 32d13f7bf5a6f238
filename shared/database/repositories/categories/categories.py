"""Our own categories and the rules for applying them, always of one owner or one tenant."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, delete, select

from shared.database.models.categories import CategoryRuleRow, LocalCategory
from shared.database.models.users import User
from shared.database.repositories.base import Keyset, Repository, page


class LocalCategoryRepository(Repository):
    """The ``local_categories`` table."""

    async def add(self, category: LocalCategory) -> None:
        """Insert it. Raises AlreadyExists if the owner has one of that name."""
        await self._insert(category)

    async def all_of(self, owner_id: UUID) -> Sequence[LocalCategory]:
        """Every category of the owner, by name."""
        statement = select(LocalCategory).where(LocalCategory.owner_id == owner_id)
        return await self._all(statement.order_by(LocalCategory.name_key, LocalCategory.id))

    async def get(
        self, tenant_id: UUID, category_id: UUID, owner_id: UUID | None, *, lock: bool = False
    ) -> LocalCategory | None:
        """A category of the tenant, or of one owner in it. ``lock`` holds it until the transaction ends."""
        return await self._one(_of_owner(LocalCategory, tenant_id, category_id, owner_id, lock=lock))

    async def delete(self, owner_id: UUID, category_id: UUID) -> None:
        """Delete it. Archived events keep it."""
        await self._session.execute(
            delete(LocalCategory).where(LocalCategory.owner_id == owner_id, LocalCategory.id == category_id)
        )


class CategoryRuleRepository(Repository):
    """The ``category_rules`` table."""

    async def add(self, rule: CategoryRuleRow) -> None:
        """Insert it. Raises AlreadyExists if the owner has one for the same match."""
        await self._insert(rule)

    async def all_of(self, owner_id: UUID, limit: int) -> Sequence[CategoryRuleRow]:
        """The owner's rules, the oldest first, at most ``limit``."""
        return await self.list(owner_id, None, limit)

    async def list(self, owner_id: UUID, after: Keyset | None, limit: int) -> Sequence[CategoryRuleRow]:
        """The owner's rules in the order they were added. ``after`` is (created_at, id)."""
        statement = select(CategoryRuleRow).where(CategoryRuleRow.owner_id == owner_id)
        key = (CategoryRuleRow.created_at, CategoryRuleRow.id)
        return await self._all(page(statement, key, after, limit))

    async def get(
        self, tenant_id: UUID, rule_id: UUID, owner_id: UUID | None, *, lock: bool = False
    ) -> CategoryRuleRow | None:
        """A rule of the tenant, or of one owner in it. ``lock`` holds it until the transaction ends."""
        return await self._one(_of_owner(CategoryRuleRow, tenant_id, rule_id, owner_id, lock=lock))

    async def delete(self, owner_id: UUID, rule_id: UUID) -> None:
        """Delete it. What it changed stays."""
        await self._session.execute(
            delete(CategoryRuleRow).where(CategoryRuleRow.owner_id == owner_id, CategoryRuleRow.id == rule_id)
        )


def _of_owner[Row: (LocalCategory, CategoryRuleRow)](
    model: type[Row], tenant_id: UUID, row_id: UUID, owner_id: UUID | None, *, lock: bool
) -> Select[Row]:
    statement = (
        select(model)
        .join(User, User.id == model.owner_id)
        .where(User.tenant_id == tenant_id, model.id == row_id)
    )
    if owner_id is not None:
        statement = statement.where(model.owner_id == owner_id)
    if lock:
        statement = statement.with_for_update(of=model)
    return statement.execution_options(populate_existing=lock)

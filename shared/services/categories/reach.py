"""Outlook's categories, each mailbox reached with the permission that the request has there."""

from collections.abc import Callable, Sequence
from uuid import UUID

from shared.domain.calendar_port import MasterCategory
from shared.services.categories.catalogue import OutlookCategories


class OutlookByMailbox:
    """Looks up for every call who may make it: the owner on his own behalf, an Admin for him by the app."""

    def __init__(self, reach: Callable[[UUID], OutlookCategories]) -> None:
        self._reach = reach

    async def list(self, mailbox: str) -> Sequence[MasterCategory]:
        """Every category of the mailbox."""
        return await self._reach(UUID(mailbox)).list(mailbox)

    async def create(self, mailbox: str, name: str, color: str) -> MasterCategory:
        """Add a category; raises Conflict where there is one of that name."""
        return await self._reach(UUID(mailbox)).create(mailbox, name, color)

    async def recolour(self, mailbox: str, category_id: UUID, color: str) -> MasterCategory:
        """Give a category another colour."""
        return await self._reach(UUID(mailbox)).recolour(mailbox, category_id, color)

    async def delete(self, mailbox: str, category_id: UUID) -> None:
        """Take a category out of the list."""
        await self._reach(UUID(mailbox)).delete(mailbox, category_id)

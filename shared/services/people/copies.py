"""Removes the copies in a person's calendars, if an erasure requests it (domain.md 15.3)."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, Protocol
from uuid import UUID

from shared.database.engine import Database
from shared.database.repositories.archiving.archives_of_others import ArchivesOfOthers
from shared.database.repositories.people.people import LeavingRepository
from shared.database.repositories.people.person_data import Person

#: Copies deleted before the deletion is recorded: five batches.
_AT_ONCE: Final = 100


class CopyRemoval(Protocol):
    """Deletes copies from mailboxes."""

    async def remove(self, tenant_id: UUID, mailbox_id: UUID, copy_ids: Sequence[str]) -> int:
        """Delete the copies in a mailbox of the tenant. Returns how many existed."""
        ...


class CopiesOfPerson:
    """Removes the copies that the map names. A copy that is gone already causes no error."""

    def __init__(self, database: Database, removal: CopyRemoval) -> None:
        self._database = database
        self._removal = removal

    async def remove_some(self, tenant_id: UUID, owner_id: UUID) -> int | None:
        """Remove at most 100. Returns how many existed, or None if the map names no more.

        Copies in our own calendars are deleted with their rows. Raises StoreUnavailable and StoreRefused.
        """
        async with self._database.session() as session:
            leaving = LeavingRepository(session)
            events = await leaving.some_copies(owner_id, _AT_ONCE)
            mailboxes = await leaving.archive_mailboxes(owner_id)
        if not events:
            return None
        by_mailbox: defaultdict[UUID, list[str]] = defaultdict(list)
        for event in events:
            mailbox = mailboxes.get(event.configuration_id)
            if mailbox is not None and event.copy_id:
                by_mailbox[mailbox].append(event.copy_id)
        removed = 0
        for mailbox, copy_ids in by_mailbox.items():
            removed += await self._removal.remove(tenant_id, mailbox, copy_ids)
        async with self._database.session() as session:
            await LeavingRepository(session).forget_copies(owner_id, [event.id for event in events])
        return removed

    async def remove_some_of_others(self, person: Person) -> int | None:
        """As ``remove_some``, for the copies that others made from the person's calendars."""
        async with self._database.session() as session:
            archives = ArchivesOfOthers(session)
            events = await archives.some_copies(person, _AT_ONCE)
            found = await archives.configurations(person)
        if not events:
            return None
        mailboxes = {each.id: each.archive_mailbox_id for each in found}
        by_mailbox: defaultdict[UUID, list[str]] = defaultdict(list)
        for event in events:
            by_mailbox[mailboxes[event.configuration_id]].append(event.copy_id or "")
        removed = 0
        for mailbox, copy_ids in by_mailbox.items():
            removed += await self._removal.remove(person.tenant_id, mailbox, copy_ids)
        async with self._database.session() as session:
            await ArchivesOfOthers(session).forget_copies([event.id for event in events])
        return removed

"""The port of the directory: the people of a tenant, and whether they have mailboxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class DirectoryUser:
    """A person of the directory; ``address`` is the mail address, else the user principal name."""

    id: UUID
    #: The mail address, or the user principal name if there is none.
    address: str
    display_name: str
    guest: bool


class MailboxState(StrEnum):
    """Whether we can work on a person's mailbox."""

    OPEN = "open"
    NONE = "none"
    NO_ACCESS = "no_access"


class Directory(Protocol):
    """The directory of one tenant."""

    async def find_users(self, names: Sequence[str]) -> dict[str, DirectoryUser | None]:
        """Users by address, principal name or object id. None for each one that does not exist."""
        ...

    async def mailbox_states(self, object_ids: Sequence[UUID]) -> dict[UUID, MailboxState]:
        """Whether each person has a mailbox, a licence, and access by the app."""
        ...

    async def group_users(self, group_id: UUID, most: int) -> list[DirectoryUser]:
        """The people in a group and its nested groups, at most ``most`` plus one.

        Raises NotFound (``group_not_found``).
        """
        ...


class Directories(Protocol):
    """The directory of each tenant."""

    def in_tenant(self, tenant_id: UUID) -> Directory:
        """The directory of one tenant."""
        ...

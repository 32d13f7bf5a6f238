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
        """Users by address, principal name or object id; None where there is none."""
        ...

    async def mailbox_states(self, object_ids: Sequence[UUID]) -> dict[UUID, MailboxState]:
        """Whether each person has a mailbox with a licence, and one that the app may reach."""
        ...

    async def group_users(self, group_id: UUID, most: int) -> list[DirectoryUser]:
        """The people in a group and in the groups within it, at most ``most`` and one more.

        Raises NotFound (``group_not_found``).
        """
        ...


class Directories(Protocol):
    """The directory of each tenant."""

    def in_tenant(self, tenant_id: UUID) -> Directory:
        """That of one tenant."""
        ...

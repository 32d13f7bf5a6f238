"""Whether a configuration may name the calendars it names (domain.md 1, Calendar reference)."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Objection(StrEnum):
    """Why a run must neither read nor write."""

    MAILBOX_NOT_PERMITTED = "mailbox_not_permitted"
    CALENDAR_HAS_TWO_ROLES = "calendar_has_two_roles"
    USER_DEACTIVATED = "user_deactivated"
    ARCHIVE_IN_USE = "archive_in_use"

    @property
    def reason(self) -> str:
        """What a person is told."""
        return _REASONS[self]


_REASONS = {
    Objection.MAILBOX_NOT_PERMITTED: "one of its calendars is in another's mailbox, and no Admin approved it",
    Objection.CALENDAR_HAS_TWO_ROLES: "one of its calendars is another configuration's in the opposite role",
    Objection.USER_DEACTIVATED: "its owner is deactivated",
    Objection.ARCHIVE_IN_USE: "an older configuration archives the same calendar into the same one",
}


@dataclass(frozen=True, slots=True)
class ReferenceFacts:
    """What is stored of a configuration's calendars and of its owner; mailboxes are Entra object ids.

    ``approved``: mailboxes of others that an Admin let this configuration name. ``two_roles``: its source is
    another configuration's archive, or its archive another one's source. ``archive_in_use``: an older one has
    the same source and archive.
    """

    owner_mailbox: UUID
    owner_active: bool
    source_mailbox: UUID
    archive_mailbox: UUID
    approved: Collection[UUID]
    two_roles: bool
    archive_in_use: bool = False


def objection(facts: ReferenceFacts) -> Objection | None:
    """What forbids a run; None where nothing does.

    A User may name his own mailbox only, any other one needs an Admin's word; no calendar may be the archive
    of one configuration and a source of another; of two with one source and one archive only the older runs
    (2.19); nothing new is archived of who was deactivated (15.1).
    """
    foreign = {facts.source_mailbox, facts.archive_mailbox} - {facts.owner_mailbox}
    if not foreign.issubset(facts.approved):
        return Objection.MAILBOX_NOT_PERMITTED
    if facts.two_roles:
        return Objection.CALENDAR_HAS_TWO_ROLES
    if facts.archive_in_use:
        return Objection.ARCHIVE_IN_USE
    return None if facts.owner_active else Objection.USER_DEACTIVATED

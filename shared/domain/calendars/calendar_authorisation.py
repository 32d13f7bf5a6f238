"""Whether a configuration is authorised to use its calendars (domain.md 1, Calendar reference)."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from shared.domain.approvals.mailbox_approval import names_another


class Objection(StrEnum):
    """Why a run must not read or write."""

    MAILBOX_NOT_PERMITTED = "mailbox_not_permitted"
    CALENDAR_HAS_TWO_ROLES = "calendar_has_two_roles"
    USER_DEACTIVATED = "user_deactivated"
    ARCHIVE_IN_USE = "archive_in_use"
    PERSON_ERASED = "person_erased"

    @property
    def reason(self) -> str:
        """The text for people."""
        return _REASONS[self]


_REASONS = {
    Objection.MAILBOX_NOT_PERMITTED: "one of its calendars is another person's, and no approval holds",
    Objection.CALENDAR_HAS_TWO_ROLES: "one of its calendars is another configuration's in the opposite role",
    Objection.USER_DEACTIVATED: "its owner is deactivated",
    Objection.PERSON_ERASED: "the person whose calendar it reads was erased",
    Objection.ARCHIVE_IN_USE: "an older configuration archives the same calendar into the same one",
}


@dataclass(frozen=True, slots=True)
class ReferenceFacts:
    """The stored facts about a configuration's calendars and owner. People are Entra object ids."""

    owner: UUID
    owner_active: bool
    #: The person of the source calendar.
    source_person: UUID
    #: The person of the archive calendar.
    archive_person: UUID
    #: An approval of exactly these calendars is valid (domain.md 6.5).
    approved: bool
    #: One of its calendars is an archive of one configuration and a source of another.
    two_roles: bool
    #: An older configuration has the same source and archive.
    archive_in_use: bool = False
    #: The person read was erased (15.3).
    erased: bool = False


def objection(facts: ReferenceFacts) -> Objection | None:
    """What forbids a run. None if nothing does.

    - If owner, source and archive belong to different people, a valid approval is needed (6.5).
    - No calendar may be the archive of one configuration and a source of another.
    - Of two configurations with one source and one archive, only the older one runs (2.19).
    - Nothing new is archived for a deactivated person (15.1).
    """
    if facts.erased:
        return Objection.PERSON_ERASED
    if names_another(facts.owner, (facts.source_person, facts.archive_person)) and not facts.approved:
        return Objection.MAILBOX_NOT_PERMITTED
    if facts.two_roles:
        return Objection.CALENDAR_HAS_TWO_ROLES
    if facts.archive_in_use:
        return Objection.ARCHIVE_IN_USE
    return None if facts.owner_active else Objection.USER_DEACTIVATED

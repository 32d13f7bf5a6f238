"""Whether a configuration may name the calendars it names (domain.md 1, Calendar reference)."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from shared.domain.approvals.mailbox_approval import names_another


class Objection(StrEnum):
    """Why a run must neither read nor write."""

    MAILBOX_NOT_PERMITTED = "mailbox_not_permitted"
    CALENDAR_HAS_TWO_ROLES = "calendar_has_two_roles"
    USER_DEACTIVATED = "user_deactivated"
    ARCHIVE_IN_USE = "archive_in_use"
    PERSON_ERASED = "person_erased"

    @property
    def reason(self) -> str:
        """What a person is told."""
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
    """What is stored of a configuration's calendars and of its owner; people are Entra object ids.

    ``source_person`` and ``archive_person`` are those whose calendars they are. ``approved``: an approval of
    these very calendars holds (domain.md 6.5). ``two_roles``: its source is another configuration's archive,
    or its archive another one's source. ``archive_in_use``: an older one has the same source and archive.
    ``erased``: the person read was erased (15.3).
    """

    owner: UUID
    owner_active: bool
    source_person: UUID
    archive_person: UUID
    approved: bool
    two_roles: bool
    archive_in_use: bool = False
    erased: bool = False


def objection(facts: ReferenceFacts) -> Objection | None:
    """What forbids a run; None where nothing does.

    A configuration whose owner, source and archive are not one person's needs an approval that holds (6.5);
    no calendar may be the archive of one configuration and a source of another; of two with one source and
    one archive only the older runs (2.19); nothing new is archived of who was deactivated (15.1).
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

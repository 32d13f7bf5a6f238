"""From a calendar reference as a person types it to the one calendar it means (domain.md 1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from shared.database.models import User
from shared.domain import calendar_reference
from shared.domain.calendar_reference import CalendarCandidate, CalendarNotResolved, CalendarReference
from shared.errors import FieldError, GraphRefused, NotFound, ValidationFailed
from shared.graph.records import GraphCalendar, Mailbox


class CalendarDirectory(Protocol):
    """Mailboxes and their calendars."""

    async def get_mailbox(self, mailbox: str) -> Mailbox | None:
        """The owner of an address or object id; None if there is none."""
        ...

    async def list_calendars(self, mailbox: str) -> list[GraphCalendar]:
        """Every calendar of a mailbox."""
        ...

    async def create_calendar(self, mailbox: str, name: str) -> GraphCalendar:
        """Make a calendar."""
        ...


@dataclass(frozen=True, slots=True)
class ResolvedCalendar:
    """What is stored of a calendar: a changed address or a renamed calendar changes nothing."""

    reference: str
    mailbox_id: UUID
    calendar_id: str


@dataclass(frozen=True, slots=True)
class NamedCalendar:
    """A reference with the calendars of its mailbox; ``chosen`` is None if it is still to be created."""

    field: str
    reference: CalendarReference
    mailbox_id: UUID
    chosen: GraphCalendar | None

    @property
    def resolved(self) -> ResolvedCalendar:
        """What to store; only for a calendar that exists."""
        if self.chosen is None:
            raise RuntimeError("the calendar does not exist yet")
        return ResolvedCalendar(str(self.reference), self.mailbox_id, self.chosen.id)


def read_reference(field: str, text: str) -> CalendarReference:
    """Parse the text of a field; raises ValidationFailed naming it."""
    try:
        reference = calendar_reference.parse(text)
    except calendar_reference.CalendarReferenceInvalid as error:
        raise _invalid(field, str(error), "calendar_reference") from None
    if reference.store == "local":
        raise _invalid(field, "calendars of our own (local://) are not offered yet", "not_offered_yet")
    return reference


class CalendarResolver:
    """Resolves references for one owner; ``any_mailbox`` lets an Admin name any mailbox of the tenant."""

    def __init__(self, directory: CalendarDirectory, owner: User, *, any_mailbox: bool) -> None:
        self._directory = directory
        self._owner = owner
        self._any_mailbox = any_mailbox
        self._calendars: dict[UUID, list[GraphCalendar]] = {}

    async def find(
        self, field: str, reference: CalendarReference, *, may_create: bool = False
    ) -> NamedCalendar:
        """The calendar a reference means.

        Raises NotFound where a User names another's mailbox, as if it were absent, and ValidationFailed
        naming ``field``, with the calendars there are, where none or several match.
        """
        mailbox_id = await self._mailbox(field, reference.mailbox)
        calendars = await self._calendars_of(field, mailbox_id)
        candidates = [CalendarCandidate(each.id, each.name, each.is_default) for each in calendars]
        try:
            found = calendar_reference.resolve(reference, candidates)
        except CalendarNotResolved as error:
            if may_create and _is_new(reference, candidates):
                return NamedCalendar(field, reference, mailbox_id, None)
            raise _invalid(field, str(error), "calendar_not_resolved") from None
        chosen = next(each for each in calendars if each.id == found.id)
        return NamedCalendar(field, reference, mailbox_id, chosen)

    async def create(self, named: NamedCalendar) -> NamedCalendar:
        """Make the calendar that a reference names; raises ValidationFailed if Graph refuses."""
        try:
            calendar = await self._directory.create_calendar(
                str(named.mailbox_id), named.reference.calendar or ""
            )
        except GraphRefused as refusal:
            raise _refused(named.field, refusal) from refusal
        return NamedCalendar(named.field, named.reference, named.mailbox_id, calendar)

    async def _mailbox(self, field: str, mailbox: str) -> UUID:
        if mailbox.casefold() in (self._owner.address.casefold(), str(self._owner.object_id)):
            return self._owner.object_id
        try:
            found = await self._directory.get_mailbox(mailbox)
        except GraphRefused as refusal:
            raise _refused(field, refusal) if self._any_mailbox else NotFound(_NO_MAILBOX) from refusal
        mailbox_id = UUID(found.id) if found else None
        if mailbox_id is not None and (self._any_mailbox or mailbox_id == self._owner.object_id):
            return mailbox_id
        if self._any_mailbox:
            raise _invalid(field, _NO_MAILBOX, "mailbox_unknown")
        raise NotFound(_NO_MAILBOX)

    async def _calendars_of(self, field: str, mailbox_id: UUID) -> list[GraphCalendar]:
        if mailbox_id not in self._calendars:
            try:
                self._calendars[mailbox_id] = await self._directory.list_calendars(str(mailbox_id))
            except GraphRefused as refusal:
                raise _refused(field, refusal) from refusal
            except NotFound:
                raise _invalid(field, "this account has no mailbox", "mailbox_unknown") from None
        return self._calendars[mailbox_id]


_NO_MAILBOX = "there is no such mailbox"


def _is_new(reference: CalendarReference, candidates: Sequence[CalendarCandidate]) -> bool:
    """True if no calendar answers to the name, so that creating one makes nothing ambiguous."""
    name = reference.calendar
    return name is not None and all(
        calendar_reference.slug(each.name) != calendar_reference.slug(name)
        and each.name.casefold() != name.casefold()
        for each in candidates
    )


def _invalid(field: str, message: str, code: str) -> ValidationFailed:
    return ValidationFailed([FieldError(field, message, code)])


def _refused(field: str, refusal: GraphRefused) -> ValidationFailed:
    return _invalid(field, f"Microsoft Graph refuses it: {refusal.graph_code}", "mailbox_refused")

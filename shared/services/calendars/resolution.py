"""Resolves a calendar reference that a person typed to the one calendar it means (domain.md 1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from shared.database.models.users import User
from shared.domain.calendars import calendar_reference
from shared.domain.calendars.calendar_port import Calendar, CalendarDirectory
from shared.domain.calendars.calendar_reference import (
    CalendarCandidate,
    CalendarNotResolved,
    CalendarReference,
    Store,
)
from shared.errors import Conflict, FieldError, LimitReached, NotFound, StoreRefused, ValidationFailed


class CalendarDirectories(Protocol):
    """The directory of each store."""

    def of(self, store: Store) -> CalendarDirectory:
        """The directory for a reference."""
        ...


@dataclass(frozen=True, slots=True)
class ResolvedCalendar:
    """What is stored about a calendar. A changed address or a renamed calendar does not affect it."""

    reference: str
    mailbox_id: UUID
    calendar_id: str
    name: str
    calendar: Calendar


@dataclass(frozen=True, slots=True)
class NamedCalendar:
    """A reference with the calendars of its mailbox. ``chosen`` is None if it must still be created."""

    field: str
    reference: CalendarReference
    mailbox_id: UUID
    chosen: Calendar | None

    @property
    def existing(self) -> Calendar:
        """The calendar. Only if it exists."""
        if self.chosen is None:
            raise RuntimeError("the calendar does not exist yet")
        return self.chosen

    @property
    def resolved(self) -> ResolvedCalendar:
        """What to store. Only if the calendar exists."""
        found = self.existing
        return ResolvedCalendar(str(self.reference), self.mailbox_id, found.id, found.name, found)


def read_reference(field: str, text: str) -> CalendarReference:
    """Parse the text of a field. Raises ValidationFailed naming it."""
    try:
        return calendar_reference.parse(text)
    except calendar_reference.CalendarReferenceInvalid as error:
        raise _invalid(field, str(error), "calendar_reference") from None


class CalendarResolver:
    """Resolves references for one owner. With ``any_mailbox``, an Admin names any mailbox."""

    def __init__(self, directories: CalendarDirectories, owner: User, *, any_mailbox: bool) -> None:
        self._directories = directories
        self._owner = owner
        self._any_mailbox = any_mailbox
        self._calendars: dict[tuple[Store, UUID], list[Calendar]] = {}

    async def find(
        self, field: str, reference: CalendarReference, *, may_create: bool = False
    ) -> NamedCalendar:
        """The calendar that a reference means.

        Raises NotFound if a User names another person's mailbox, as if it did not exist. Raises
        ValidationFailed naming ``field`` for the mailbox of a room or a group. It also does so, with the
        existing calendars, if none or several match.
        """
        mailbox_id = await self._mailbox(field, reference)
        await self._check_purpose(field, reference.store, mailbox_id)
        calendars = await self._calendars_of(field, reference.store, mailbox_id)
        candidates = [CalendarCandidate(each.id, each.name, each.is_default) for each in calendars]
        try:
            found = calendar_reference.resolve(reference, candidates)
        except CalendarNotResolved as error:
            if may_create and is_new(reference.calendar, candidates):
                return NamedCalendar(field, reference, mailbox_id, None)
            raise _invalid(field, str(error), "calendar_not_resolved") from None
        chosen = next(each for each in calendars if each.id == found.id)
        return NamedCalendar(field, reference, mailbox_id, chosen)

    async def calendars(self, named: NamedCalendar) -> list[Calendar]:
        """Every calendar of the store that the reference can mean."""
        return await self._calendars_of(named.field, named.reference.store, named.mailbox_id)

    async def create(self, named: NamedCalendar) -> NamedCalendar:
        """Create the calendar of a reference. Raises ValidationFailed if the store refuses."""
        directory = self._directories.of(named.reference.store)
        try:
            calendar = await directory.create_calendar(str(named.mailbox_id), named.reference.calendar or "")
        except StoreRefused as refusal:
            raise _refused(named.field, refusal) from refusal
        except Conflict as conflict:
            raise _invalid(named.field, conflict.detail, conflict.code) from conflict
        except LimitReached as reached:
            raise reached.at(named.field) from reached
        except NotFound as absence:
            raise _invalid(named.field, absence.detail, "mailbox_unknown") from absence
        return NamedCalendar(named.field, named.reference, named.mailbox_id, calendar)

    async def _mailbox(self, field: str, reference: CalendarReference) -> UUID:
        own = (self._owner.address.casefold(), str(self._owner.object_id))
        if reference.mailbox.casefold() in own:
            return self._owner.object_id
        try:
            found = await self._directories.of(reference.store).get_mailbox(reference.mailbox)
        except StoreRefused as refusal:
            raise _refused(field, refusal) if self._any_mailbox else NotFound(_NO_MAILBOX) from refusal
        mailbox_id = UUID(found.id) if found else None
        if mailbox_id is not None and (self._any_mailbox or mailbox_id == self._owner.object_id):
            return mailbox_id
        if self._any_mailbox:
            raise _invalid(field, f"{_NO_MAILBOX}; a group's calendar cannot be archived", "mailbox_unknown")
        raise NotFound(_NO_MAILBOX)

    async def _check_purpose(self, field: str, store: Store, mailbox_id: UUID) -> None:
        """Refuse calendars of rooms and groups. Shared mailboxes are accepted (domain.md 1)."""
        if (store, mailbox_id) in self._calendars:
            return
        try:
            purpose = await self._directories.of(store).get_mailbox_purpose(str(mailbox_id))
        except StoreRefused as refusal:
            raise _refused(field, refusal) from refusal
        if purpose in _NOBODYS:
            raise _invalid(
                field, f"is the mailbox of {_NOBODYS[purpose]}, which is not archived", "no_person"
            )

    async def _calendars_of(self, field: str, store: Store, mailbox_id: UUID) -> list[Calendar]:
        place = store, mailbox_id
        if place not in self._calendars:
            try:
                found = await self._directories.of(store).list_calendars(str(mailbox_id))
            except StoreRefused as refusal:
                raise _refused(field, refusal) from refusal
            except NotFound:
                raise _invalid(field, "this account has no mailbox", "mailbox_unknown") from None
            self._calendars[place] = found
        return self._calendars[place]


#: Purposes of mailboxes that belong to no person.
_NOBODYS = {"room": "a room", "equipment": "a piece of equipment", "group": "a group"}
_NO_MAILBOX = "there is no such mailbox"


def is_new(name: str | None, candidates: Sequence[CalendarCandidate]) -> bool:
    """True if no calendar has the name, so that creating it makes nothing ambiguous."""
    return name is not None and all(
        calendar_reference.slug(each.name) != calendar_reference.slug(name)
        and calendar_reference.folded_name(each.name) != calendar_reference.folded_name(name)
        and each.id != name
        for each in candidates
    )


def canonical_reference(
    store: Store, mailbox: str, calendar: Calendar, calendars: Sequence[Calendar]
) -> CalendarReference:
    """The best reference to a calendar of a mailbox."""
    candidates = [CalendarCandidate(each.id, each.name, each.is_default) for each in calendars]
    meant = next(each for each in candidates if each.id == calendar.id)
    return calendar_reference.canonical(store, mailbox, meant, candidates)


def _invalid(field: str, message: str, code: str) -> ValidationFailed:
    return ValidationFailed([FieldError(field, message, code)])


def _refused(field: str, refusal: StoreRefused) -> ValidationFailed:
    return _invalid(field, f"the mailbox service refuses it: {refusal.reason}", "mailbox_refused")

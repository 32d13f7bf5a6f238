"""The person of a calendar: its owner, even if the calendar is shared (domain.md 6.5)."""

from uuid import NAMESPACE_URL, UUID, uuid5

from shared.domain.calendars.calendar_port import Calendar, CalendarDirectory
from shared.domain.calendars.local_calendar import is_local


async def person_of(
    directory: CalendarDirectory, mailbox_id: UUID, calendar: Calendar, *known_as: str
) -> UUID:
    """The object id of the calendar's owner.

    ``mailbox_id`` is the mailbox that lists it. ``known_as`` are names of that mailbox. An owner who is
    unknown to the directory, for example in another organisation, gets an id derived from their address. It
    differs from every other id.
    """
    address = calendar.owner_address.strip()
    if not address or is_local(calendar.id) or address.casefold() in map(str.casefold, known_as):
        return mailbox_id
    listed_in = await directory.get_mailbox(str(mailbox_id))
    if listed_in is not None:
        known = {listed_in.user_principal_name.casefold(), listed_in.mail.casefold(), listed_in.id.casefold()}
        if address.casefold() in known:
            return mailbox_id
    owner = await directory.get_mailbox(address)
    return UUID(owner.id) if owner is not None else uuid5(NAMESPACE_URL, f"mailto:{address.casefold()}")

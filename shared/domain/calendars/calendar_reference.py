"""References to calendars, as users type them and as we store them (domain.md 1)."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote_to_bytes
from uuid import UUID

from shared.domain.normal_form import normal_form

type Store = Literal["outlook", "local"]

#: The start of a reference to an Outlook calendar.
_SCHEMES: dict[Store, str] = {"outlook": "msgraph", "local": "local"}

MAX_REFERENCE_LENGTH = 2048
_LISTED_CANDIDATES = 20
_FORMS = "msgraph://{mailbox}/calendars/{name-or-id}, msgraph://{mailbox}/calendar or local://{mailbox}/calendars/{name}"
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MAILBOX = re.compile(r"[^@\s/]+@[^@\s/]+")


class CalendarReferenceInvalid(ValueError):
    """The text is no calendar reference. The message gives the reason and may be shown to the caller."""


class CalendarNotResolved(ValueError):
    """The reference matches no calendar, or several. ``candidates`` are the possible ones."""

    def __init__(self, message: str, candidates: Sequence["CalendarCandidate"]) -> None:
        self.candidates = tuple(candidates)
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class CalendarCandidate:
    """A calendar that a reference may mean."""

    id: str
    name: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class CalendarReference:
    """A calendar of a mailbox (address or object id). ``calendar`` is None for the primary calendar.

    ``str()`` returns the canonical text. ``parse`` reads it back to an equal reference.
    """

    store: Store
    mailbox: str
    calendar: str | None

    def __str__(self) -> str:
        mailbox = quote(self.mailbox, safe="@")
        scheme = _SCHEMES[self.store]
        if self.calendar is None:
            return f"{scheme}://{mailbox}/calendar"
        return f"{scheme}://{mailbox}/calendars/{quote(self.calendar, safe='')}"


def parse(text: str) -> CalendarReference:
    """Read a reference. Raises CalendarReferenceInvalid with the reason."""
    if len(text) > MAX_REFERENCE_LENGTH:
        raise CalendarReferenceInvalid(f"a calendar reference has at most {MAX_REFERENCE_LENGTH} characters")
    scheme, separator, rest = text.strip().partition("://")
    store = _store(scheme)
    if not separator or store is None:
        raise CalendarReferenceInvalid(f"a calendar reference is {_FORMS}")
    mailbox, *path = rest.split("/")
    address = _mailbox(mailbox)
    match path:
        case ["calendar"] if store == "outlook":
            return CalendarReference(store, address, None)
        case ["calendars", name]:
            return CalendarReference(store, address, _calendar(name))
        case ["calendars", _, *_]:
            raise CalendarReferenceInvalid("a slash in a calendar's name must be written as %2F")
    raise CalendarReferenceInvalid(f"a calendar reference is {_FORMS}")


def resolve(reference: CalendarReference, candidates: Sequence[CalendarCandidate]) -> CalendarCandidate:
    """The calendar that is meant: by exact id, else by name (case ignored), else by the name's slug.

    Raises CalendarNotResolved if none or several match.
    """
    if reference.calendar is None:
        return _only(reference, [c for c in candidates if c.is_default], candidates)
    wanted = reference.calendar
    for candidate in candidates:
        if candidate.id == wanted:
            return candidate
    named = [c for c in candidates if folded_name(c.name) == folded_name(wanted)]
    return _only(
        reference, named or [c for c in candidates if slug(c.name) == folded_name(wanted)], candidates
    )


def canonical(
    store: Store, mailbox: str, meant: CalendarCandidate, candidates: Sequence[CalendarCandidate]
) -> CalendarReference:
    """The reference to ``meant`` that is clearest for a person.

    The primary calendar is named as such. Others are named by name, or by id if the name is ambiguous or
    cannot be written.
    """
    if meant.is_default and store == "outlook":
        return CalendarReference(store, mailbox, None)
    by_name = CalendarReference(store, mailbox, meant.name)
    try:
        if parse(str(by_name)) == by_name and resolve(by_name, candidates) == meant:
            return by_name
    except (CalendarReferenceInvalid, CalendarNotResolved):
        pass
    return CalendarReference(store, mailbox, meant.id)


def slug(name: str) -> str:
    """The name in lower case, with a hyphen for everything except letters and digits."""
    return re.sub(r"[\W_]+", "-", normal_form("NFC", folded_name(name))).strip("-")


def folded_name(name: str) -> str:
    """A name for comparison: trimmed, case-folded, Unicode-normalised."""
    return normal_form("NFC", name.strip()).casefold()


def _only(
    reference: CalendarReference,
    matches: Sequence[CalendarCandidate],
    candidates: Sequence[CalendarCandidate],
) -> CalendarCandidate:
    if len(matches) == 1:
        return matches[0]
    wanted = "primary calendar" if reference.calendar is None else f"calendar “{reference.calendar}”"
    where = f"{wanted} in mailbox {reference.mailbox}"
    if matches:
        raise CalendarNotResolved(f"more than one {where}, name one by its id: {_listed(matches)}", matches)
    raise CalendarNotResolved(f"no {where}; it has: {_listed(candidates) or 'no calendars'}", candidates)


def _listed(candidates: Sequence[CalendarCandidate]) -> str:
    listed = ", ".join(f"“{c.name}” (id {c.id})" for c in candidates[:_LISTED_CANDIDATES])
    more = len(candidates) - _LISTED_CANDIDATES
    return f"{listed} and {more} more" if more > 0 else listed


def _store(scheme: str) -> Store | None:
    return next((store for store, known in _SCHEMES.items() if known == scheme.lower()), None)


def _mailbox(text: str) -> str:
    mailbox = _decoded(text, "mailbox").strip()
    if not _MAILBOX.fullmatch(mailbox) and not _is_uuid(mailbox):
        raise CalendarReferenceInvalid("the mailbox must be an e-mail address or an object id")
    return mailbox


def _calendar(text: str) -> str:
    if _any_of("?#", text):
        raise CalendarReferenceInvalid("? and # in a calendar's name must be written as %3F and %23")
    name = _decoded(text, "calendar").strip()
    if not name:
        raise CalendarReferenceInvalid("the calendar's name or id is missing")
    return name


def _decoded(text: str, what: str) -> str:
    if _BROKEN_ESCAPE.search(text):
        raise CalendarReferenceInvalid(f"the {what} has a % that is not followed by two hexadecimal digits")
    try:
        decoded = unquote_to_bytes(text).decode()
    except UnicodeError:
        raise CalendarReferenceInvalid(f"the {what} is not percent-encoded UTF-8") from None
    if any(unicodedata.category(character) == "Cc" for character in decoded):
        raise CalendarReferenceInvalid(f"the {what} has control characters")
    return decoded


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _any_of(characters: Iterable[str], text: str) -> bool:
    return any(character in text for character in characters)

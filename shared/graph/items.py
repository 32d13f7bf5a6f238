"""Graph's answers as typed structures, with only the parts that we read (graph.md section 2)."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from shared.domain.events.source_event import EventType
from shared.graph.errors import GraphCallError


class GraphPage[T](NamedTuple):
    """One page of a collection, and the link to the next one."""

    items: Sequence[T]
    next_link: str | None


class Item(msgspec.Struct, rename="camel", gc=False):
    """A part of Graph's JSON. null means absent."""


class TimeItem(Item):
    """A ``dateTimeTimeZone``."""

    date_time: str
    time_zone: str | None = None


class BodyItem(Item):
    content: str | None = None
    content_type: str | None = None


class LocationItem(Item):
    display_name: str | None = None


class ResponseItem(Item):
    response: str | None = None


class MailItem(Item):
    name: str | None = None
    address: str | None = None


class RecipientItem(Item):
    email_address: MailItem | None = None
    type: str | None = None
    status: ResponseItem | None = None


class PropertyItem(Item):
    """A single-value extended property."""

    id: str = ""
    value: str | None = None


class EventItem(Item):
    """An event of Graph, a source or a copy. Every event has an id, a start and an end."""

    id: str
    start: TimeItem
    end: TimeItem
    type: EventType | None = None
    ical_uid: str | None = msgspec.field(default=None, name="iCalUId")
    change_key: str | None = None
    subject: str | None = None
    body: BodyItem | None = None
    original_start_time_zone: str | None = None
    original_end_time_zone: str | None = None
    is_all_day: bool | None = None
    series_master_id: str | None = None
    original_start: str | None = None
    location: LocationItem | None = None
    categories: tuple[str, ...] | None = None
    show_as: str | None = None
    importance: str | None = None
    sensitivity: str | None = None
    is_cancelled: bool | None = None
    response_status: ResponseItem | None = None
    has_attachments: bool | None = None
    organizer: RecipientItem | None = None
    attendees: tuple[RecipientItem, ...] | None = None
    occurrence_id: str | None = None
    etag: str | None = msgspec.field(default=None, name="@odata.etag")
    created_date_time: str | None = None
    last_modified_date_time: str | None = None
    single_value_extended_properties: tuple[PropertyItem, ...] | None = None


class CalendarItem(Item):
    """A calendar."""

    id: str
    name: str | None = None
    is_default_calendar: bool | None = None
    can_edit: bool | None = None
    owner: MailItem | None = None


class UserItem(Item):
    """A user of the directory."""

    id: str
    user_principal_name: str | None = None
    mail: str | None = None
    display_name: str | None = None
    user_type: str | None = None


class CategoryItem(Item):
    """A category of Outlook's list."""

    id: UUID
    display_name: str | None = None
    color: str | None = None


class MailboxSettingsItem(Item):
    """The purpose in a mailbox's settings."""

    user_purpose: str | None = None


class IdItem(Item):
    """Anything of which only the id is read."""

    id: str = ""


class OccurrenceItem(Item):
    """An occurrence of which only its place in the series is read."""

    id: str = ""
    #: ISO 8601, UTC.
    original_start: str | None = None


class Collection[T](msgspec.Struct):
    """A page in Graph's form."""

    value: list[T] | None = None
    next_link: str | None = msgspec.field(default=None, name="@odata.nextLink")


class Answers[T]:
    """Reads whole answers of one kind. Raises GraphCallError for anything else, such as a gateway's page."""

    def __init__(self, kind: type[T]) -> None:
        self._one = msgspec.json.Decoder(kind)
        self._many = msgspec.json.Decoder(Collection[kind])  # type: ignore[valid-type]

    def one(self, raw: bytes) -> T:
        """One of them."""
        return decoded(self._one, raw)

    def page(self, raw: bytes) -> GraphPage[T]:
        """A page of them."""
        page = decoded(self._many, raw)
        return GraphPage(page.value or (), page.next_link)


def decoded[T](decoder: msgspec.json.Decoder[T], raw: bytes) -> T:
    """The content of an answer. Raises GraphCallError (``unreadable_answer``)."""
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise GraphCallError(502, "unreadable_answer") from error


CALENDARS = Answers(CalendarItem)
USERS = Answers(UserItem)
CATEGORIES = Answers(CategoryItem)
MAILBOX_SETTINGS = Answers(MailboxSettingsItem)
IDS = Answers(IdItem)
OCCURRENCES = Answers(OccurrenceItem)

"""Suggestions for events that are not archived: today's, and those that an archive left out.

They are read from the source calendar of one configuration with application permission, as its runs do.
"""

from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5
from zoneinfo import ZoneInfo

from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.archiving.archived_events import ArchivedEventRepository
from shared.database.repositories.categories.category_facts import CategorisedEvent
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.domain.calendars.calendar_port import Calendars
from shared.domain.categories.category import CategoryState, classify
from shared.domain.events.source_event import SourceEvent, source_key
from shared.domain.identity.caller import Caller
from shared.domain.identity.disclosure import is_disclosed
from shared.domain.planning.modifications import modification_kind
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.runs.unread import UnreadEvents
from shared.domain.runs.window import READ_MARGIN, Window
from shared.domain.times.zones import find_zone
from shared.errors import FieldError, NotFound, ValidationFailed
from shared.schemas.category_reports import SuggestedEvents, SuggestionQuery
from shared.schemas.paging import Slice
from shared.services.approvals.objections import refuse_unauthorised
from shared.services.categories.attention import AMBIGUOUS_FIRST, UNRANKED, after_of, place_of
from shared.services.categories.scope import Scope, check_length, read_scope
from shared.services.categories.suggestions import suggested

#: This reads the calendar itself, including bodies.
LONGEST_DAYS: Final = 62
#: States of map rows without anything in the archive, so these events are in no report.
_NOT_ARCHIVED: Final = frozenset({ArchivedEventState.LEFT_OUT, ArchivedEventState.FLAGGED})


class UpcomingSuggestions:
    """Only suggests, as ``CategorySuggestions`` does."""

    def __init__(self, database: Database, calendars: Calendars) -> None:
        self._database = database
        self._calendars = calendars

    async def list(self, caller: Caller, query: SuggestionQuery) -> SuggestedEvents:
        """Events of the range without one valid category that are in the calendar and not in the archive.

        Ambiguous events come first, then by start. Raises NotFound (configuration, or a mailbox that is
        gone). Raises ValidationFailed if no configuration is named or the range is longer than 62 days.
        Raises StoreUnavailable and StoreRefused.
        """
        if query.configuration_id is None:
            message = "name the configuration whose source calendar is read"
            raise ValidationFailed([FieldError("configuration_id", message, "missing")])
        check_length(query, LONGEST_DAYS)
        after = after_of(query.cursor)
        async with self._database.session() as session:
            scope = await read_scope(session, caller, query, query.user_id, LONGEST_DAYS)
            configuration = await ArchiveConfigurationRepository(session).get(
                caller.tenant_id, query.configuration_id
            )
            if scope is None or configuration is None:
                raise NotFound("there is no such archive configuration")
            if configuration.names_another:
                await refuse_unauthorised(session, caller.tenant_id, configuration.id)
        events = await self._read(scope, configuration)
        async with self._database.session() as session:
            rows = await ArchivedEventRepository(session, scope.owner.id, configuration.id).by_keys(
                [event.source_key for event in events]
            )
            known = {key for key, row in rows.items() if row.state not in _NOT_ARCHIVED}
            left = [event for event in events if event.source_key not in known]
            left = [each for each in left if after is None or _place(each) > after]
            found = Slice.cut(left, query.limit, place_of)
            items = await suggested(session, scope.owner, found.rows, viewer=scope.view.viewer)
        return SuggestedEvents(items=items, next=found.next_cursor)

    async def _read(self, scope: Scope, configuration: ArchiveConfiguration) -> Sequence[CategorisedEvent]:
        (covered,) = scope.view.ranges
        zone = find_zone(configuration.time_zone) or ZoneInfo("UTC")
        window = Window(covered.start, covered.end, zone)
        origin = configuration.origin_id
        pages = self._calendars.in_tenant(configuration.tenant_id).read_window(
            str(configuration.source_mailbox_id),
            configuration.source_calendar_id,
            window.start - READ_MARGIN,
            window.end + READ_MARGIN,
            # An event that cannot be read now gets its suggestion next time.
            UnreadEvents(),
        )
        found = []
        async with aclosing(pages):
            async for page in pages:
                found += [
                    unarchived_event(event, configuration)
                    for event in page
                    if window.owns(event)
                    and _needs_category(event)
                    and is_disclosed(event.sensitivity, origin=origin, viewer=scope.view.viewer)
                ]
        return sorted(found, key=_place)


def unarchived_event(event: SourceEvent, configuration: ArchiveConfiguration) -> CategorisedEvent:
    """An event of the calendar in the form of archived ones. Its id only identifies it in a list."""
    people = [*event.attendees, *([event.organizer] if event.organizer else ())]
    key = event_key(event)
    return CategorisedEvent(
        id=uuid5(NAMESPACE_URL, f"{configuration.id}|{key}"),
        configuration_id=configuration.id,
        subject=event.subject,
        start_at=event.start,
        end_at=event.end,
        is_all_day=event.is_all_day,
        location=event.location,
        categories=event.categories,
        addresses=tuple(person.address for person in people),
        sensitivity=event.sensitivity,
        hidden=False,
        origin_mailbox_id=configuration.origin_id,
        source_key=key,
        source_id=event.id,
        source_mailbox_id=configuration.source_mailbox_id,
        source_calendar_id=configuration.source_calendar_id,
        rank=0 if classify(event.categories).state in AMBIGUOUS_FIRST else UNRANKED,
        archived=False,
    )


def event_key(event: SourceEvent) -> str:
    """The source key. An event without one, such as a series master, gets a key that matches nothing."""
    try:
        return source_key(event)
    except ValueError:
        return f"-:{event.id}"


def _needs_category(event: SourceEvent) -> bool:
    if event.is_cancelled or event.is_declined:
        return False
    if classify(event.categories).state is CategoryState.VALID:
        return False
    # A modification belongs to its meeting (domain.md 4).
    return event.is_all_day or modification_kind(event.subject) is None


def _place(event: CategorisedEvent) -> tuple[int, datetime, UUID]:
    return event.rank, event.start_at, event.id

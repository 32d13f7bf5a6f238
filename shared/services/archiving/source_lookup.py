"""Looks source events up by id: which are gone, and which a page should have shown (domain.md 2.4)."""

from collections.abc import Collection, Mapping, Sequence

from shared.database.repositories.archiving.archived_events import MapRow
from shared.domain.events.source_event import EventType, SourceEvent
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.runs.unread import UnreadEvents
from shared.services.archiving.context import ArchivingPorts, RunContext


async def read_sources(
    ports: ArchivingPorts,
    context: RunContext,
    ids: Sequence[str],
    unread: UnreadEvents,
    *,
    met: Collection[str] = (),
) -> dict[str, SourceEvent]:
    """The events of these ids that are not gone, in any calendar of the mailbox (domain.md 2.4).

    A source is gone if a GET by id finds nothing, returns a series master, or returns an item in no calendar.
    ``met`` are ids that a page of the calendar just showed. What could not be read is added to ``unread``.
    """
    events, _ = await read_places(ports, context, ids, unread, met=met)
    return events


async def read_places(
    ports: ArchivingPorts,
    context: RunContext,
    ids: Sequence[str],
    unread: UnreadEvents,
    *,
    met: Collection[str] = (),
) -> tuple[dict[str, SourceEvent], dict[str, str | None]]:
    """As ``read_sources``, with the calendar of each event that no page showed."""
    calendars = ports.calendars.in_tenant(context.tenant_id)
    found = await calendars.get_events(context.source_mailbox, None, ids, unread)
    events = {key: event for key, event in found.items() if event is not None and not is_gone(event)}
    unmet = [key for key in events if key not in met]
    places = await calendars.calendars_of(context.source_mailbox, unmet) if unmet else {}
    return {key: event for key, event in events.items() if places.get(key, key) is not None}, places


def should_have_shown(context: RunContext, event: SourceEvent, place: str | None) -> bool:
    """Whether a page of the window or its margins shows the event, if both were read at the same moment.

    A read may be stale by a minute (domain.md 2.16). If two reads disagree, one of them is stale, and it is
    unknown which.
    """
    start, end = context.window.read_range
    return place == context.source_calendar_id and start <= context.window.owning_start(event) < end


def believed(
    context: RunContext,
    rows: Mapping[str, MapRow],
    found: Mapping[str, SourceEvent],
    calendars: Mapping[str, str | None],
) -> dict[str, SourceEvent]:
    """The events of the rows, by key. Events without a copy that a page should have shown are left out.

    A stale page may have shown the same meeting under its earlier id. The next run finds out whether they are
    the same. Merged events that went to another calendar are left out, too: they stay merged.
    """
    events: dict[str, SourceEvent] = {}
    for key, row in rows.items():
        event, place = found.get(row.source_id), calendars.get(row.source_id)
        merged_away = row.state is ArchivedEventState.MERGED and place not in (
            None,
            context.source_calendar_id,
        )
        bare = row.copy_id is None and event is not None and should_have_shown(context, event, place)
        if event is not None and not merged_away and not bare:
            events[key] = event
    return events


def is_gone(event: SourceEvent | None) -> bool:
    """Whether the answer to a GET by id means that the source is gone (domain.md 2.4)."""
    return event is None or event.type is EventType.SERIES_MASTER

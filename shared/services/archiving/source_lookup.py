"""Source events looked up by id: what is gone, and what a page should have shown (domain.md 2.4)."""

from collections.abc import Collection, Mapping, Sequence

from shared.database.repositories.archiving.archived_events import MapRow
from shared.domain.events.source_event import EventType, SourceEvent
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
    """The events of these ids that are not gone, wherever in the mailbox they are (domain.md 2.4).

    Gone is what a GET by id does not find, what answers with a series, and what lies in no calendar. ``met``
    are ids that a page of the calendar just showed. What could not be read is noted in ``unread``.
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
    """The same, with the calendar of each event that no page showed."""
    calendars = ports.calendars.in_tenant(context.tenant_id)
    found = await calendars.get_events(context.source_mailbox, None, ids, unread)
    events = {key: event for key, event in found.items() if event is not None and not is_gone(event)}
    unmet = [key for key in events if key not in met]
    places = await calendars.calendars_of(context.source_mailbox, unmet) if unmet else {}
    return {key: event for key, event in events.items() if places.get(key, key) is not None}, places


def should_have_shown(context: RunContext, event: SourceEvent, place: str | None) -> bool:
    """Whether a page of the window, or of its margins, shows the event where both were read at one moment.

    A store may answer a read with what was there a minute ago (domain.md 2.16). Where two reads
    disagree, one of them is stale, and nobody knows which.
    """
    start, end = context.window.read_range
    return place == context.source_calendar_id and start <= context.owning_start(event) < end


def believed(
    context: RunContext,
    rows: Mapping[str, MapRow],
    found: Mapping[str, SourceEvent],
    calendars: Mapping[str, str | None],
) -> dict[str, SourceEvent]:
    """The events of the rows, by key, but for those without a copy that a page should have shown.

    A stale page may have shown the same meeting under its former id. The next run tells whether they are one.
    """
    return {
        key: event
        for key, row in rows.items()
        if (event := found.get(row.source_id)) is not None
        and (row.copy_id is not None or not should_have_shown(context, event, calendars.get(row.source_id)))
    }


def is_gone(event: SourceEvent | None) -> bool:
    """Whether the answer to a GET by id says that the source is gone (domain.md 2.4)."""
    return event is None or event.type is EventType.SERIES_MASTER

"""Events and calendars over the wire: what each method of each resource does."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from infra.local.graph_simulator.behaviour.settings import Settings
from infra.local.graph_simulator.graph.calls import Answer, Call
from infra.local.graph_simulator.graph.content_faults import malformed, refuse_corrupt, refuse_long_range
from infra.local.graph_simulator.graph.event_fields import Changes, read_event
from infra.local.graph_simulator.graph.events import EventStore
from infra.local.graph_simulator.graph.filters import compile_filter
from infra.local.graph_simulator.graph.query import Query, as_page, read_query, window_parameter
from infra.local.graph_simulator.graph.rendering import (
    CALENDAR_PROPERTIES,
    EVENT_PROPERTIES,
    View,
    calendar_json,
    event_json,
)
from infra.local.graph_simulator.state.model import Calendar, Event, Item, Json, Mailbox
from infra.local.graph_simulator.state.state import State
from infra.local.graph_simulator.values.errors import (
    GraphError,
    bad_request,
    conflict,
    invalid_body,
    invalid_value,
    item_not_found,
)
from infra.local.graph_simulator.values.times import parse_window

_DAY_US = 86_400_000_000
_DUPLICATE = (
    "Your request can't be completed. The TransactionId specified in the request has already been used to "
    "create a different event."
)


@dataclass(slots=True)
class _EventRow:
    item: Item
    view: View
    settings: Settings

    @property
    def data(self) -> Json:
        return event_json(self.item, View(immutable=self.view.immutable), self.settings)


class Resources:
    """The handlers of events and calendars; each gives an answer or raises ``GraphError``."""

    def __init__(self, state: State, settings: Settings, store: EventStore) -> None:
        self._state = state
        self._settings = settings
        self._store = store

    def _properties(self) -> frozenset[str]:
        """What may be selected of an event."""
        if self._settings.occurrence_id_property == "refused":
            return EVENT_PROPERTIES - {"occurrenceId"}
        return EVENT_PROPERTIES

    # Calendars

    def list_calendars(self, call: Call, mailbox: Mailbox) -> Answer:
        query = read_query(call.query, call.headers)
        select = query.select(CALENDAR_PROPERTIES)
        found = sorted(mailbox.calendars.values(), key=lambda calendar: not calendar.is_default)
        text = query.options.get("filter")
        if text is not None:
            wanted = compile_filter(text)
            found = [calendar for calendar in found if wanted(_CalendarRow(calendar_json(calendar)))]
        page, link = self._cut(found, query, call)
        return Answer(
            200, as_page([calendar_json(calendar, select) for calendar in page], _context(call), link)
        )

    def get_calendar(self, call: Call, calendar: Calendar) -> Answer:
        select = read_query(call.query, call.headers).select(CALENDAR_PROPERTIES)
        return Answer(200, {"@odata.context": _context(call), **calendar_json(calendar, select)})

    def create_calendar(self, call: Call, mailbox: Mailbox) -> Answer:
        name = _calendar_name(call.json(), required=True)
        calendar = self._state.add_calendar(mailbox, name or "")
        return Answer(201, {"@odata.context": _context(call), **calendar_json(calendar)})

    def update_calendar(self, call: Call, calendar: Calendar) -> Answer:
        name = _calendar_name(call.json(), required=False)
        if name is not None:
            calendar.name = name
            self._state.touch_mailbox(calendar.mailbox)
        return Answer(200, {"@odata.context": _context(call), **calendar_json(calendar)})

    def delete_calendar(self, calendar: Calendar) -> Answer:
        if calendar.is_default:
            raise GraphError(
                400, "ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be deleted."
            )
        self._state.remove_calendar(calendar)
        return Answer(204)

    # Collections of events

    def calendar_view(self, call: Call, calendar: Calendar) -> Answer:
        """Occurrences, exceptions and single events that intersect the window (graph.md, calendarView)."""
        query = read_query(call.query, call.headers)
        start, end = self._window(query)
        refuse_long_range(call.faults, start, end)
        return self._collection(
            call, query, self.instances_in(calendar.events.values(), start, end), sort=True
        )

    def instances(self, call: Call, event: Item) -> Answer:
        """The occurrences of one series inside a window."""
        query = read_query(call.query, call.headers)
        start, end = self._window(query)
        if not isinstance(event, Event) or event.recurrence is None:
            raise bad_request("The event is not a series master.", "ErrorInvalidRequest")
        return self._collection(call, query, self.instances_in([event], start, end), sort=True)

    def list_events(self, call: Call, events: Iterable[Event]) -> Answer:
        """Single events and series masters, unexpanded."""
        query = read_query(call.query, call.headers)
        return self._collection(call, query, list(events), sort=False)

    def instances_in(self, events: Iterable[Event], start_us: int, end_us: int) -> list[Item]:
        """Everything of these events that intersects ``[start, end)``; empty events lie where they start."""
        local_days = self._settings.all_day_matching == "mailbox"
        found: list[Item] = []
        for event in events:
            candidates: Iterable[Item] = (event,)
            if event.recurrence is not None:
                candidates = event.occurrences(end_us + _DAY_US)
            for item in candidates:
                span = item.span
                begins, ends = span.start_us, span.end_us
                if local_days and span.all_day:
                    mailbox = event.calendar.mailbox
                    begins, ends = mailbox.midnight_us(span.start), mailbox.midnight_us(span.end)
                if begins < end_us and (ends > start_us or begins == ends == start_us):
                    found.append(item)
        return found

    def _window(self, query: Query) -> tuple[int, int]:
        start = parse_window(window_parameter(query, "startDateTime"), "startDateTime")
        end = parse_window(window_parameter(query, "endDateTime"), "endDateTime")
        if end < start:
            raise bad_request("The window ends before it starts.", "ErrorInvalidParameter")
        if end - start > self._settings.max_view_days * _DAY_US:
            raise bad_request(
                f"The requested time duration specified for calendar view is too long. The maximum is "
                f"{self._settings.max_view_days} days.",
                "ErrorCalendarViewRangeTooBig",
            )
        return start, end

    def _collection(self, call: Call, query: Query, items: list[Item] | list[Event], *, sort: bool) -> Answer:
        view = query.view(self._properties())
        settings = self._settings
        found: list[Item] = list(items)
        if call.stale_seconds:
            horizon = time.time() - call.stale_seconds
            found = [item for item in found if item.master.stamp.created_at <= horizon]
        text = query.options.get("filter")
        if text is not None:
            wanted = compile_filter(text)
            found = [item for item in found if wanted(_EventRow(item, view, settings))]
        order = query.order()
        if order is not None:
            _sort(found, *order)
        elif sort:
            found.sort(key=_by_start)
        page, link = self._cut(found, query, call)
        refuse_corrupt(call.faults, page, view.select)
        shown = [malformed(call.faults, item, event_json(item, view, settings)) for item in page]
        body = as_page(shown, _context(call), link)
        if query.options.get("count") == "true":
            body["@odata.count"] = len(found)
        return Answer(200, body, _applied(query))

    def _cut[T](self, found: list[T], query: Query, call: Call) -> tuple[list[T], str | None]:
        offset = query.offset()
        size = min(query.top(), self._settings.page_size_max)
        page = found[offset : offset + size]
        if offset + size >= len(found):
            return page, None
        return page, query.next_link(call.base, call.path, offset + size)

    # One event

    def create_event(self, call: Call, calendar: Calendar) -> Answer:
        query = read_query(call.query, call.headers)
        view = query.view(self._properties())
        changes = self._read(call, creating=True)
        if changes.transaction_id:
            duplicate = self._duplicate(calendar.mailbox, changes.transaction_id, view)
            if duplicate is not None:
                return duplicate
        event = self._store.create(calendar, changes)
        return self._single(call, event, query, view, 201)

    def get_event(self, call: Call, item: Item) -> Answer:
        query = read_query(call.query, call.headers)
        if call.stale_seconds and item.master.stamp.created_at > time.time() - call.stale_seconds:
            raise item_not_found()
        return self._single(call, item, query, query.view(self._properties()), 200)

    def update_event(self, call: Call, item: Item) -> Answer:
        query = read_query(call.query, call.headers)
        view = query.view(self._properties())
        changes = self._read(call, creating=False)
        _check_etag(call, item)
        return self._single(call, self._store.update(item, changes), query, view, 200)

    def delete_event(self, call: Call, item: Item) -> Answer:
        _check_etag(call, item)
        self._store.delete(item)
        return Answer(204)

    def calendar_of(self, call: Call, item: Item) -> Answer:
        """The calendar an event lies in; 404 for an event in Deleted Items, which is none.

        Source: Graph documentation, Get calendar (``/users/{id}/events/{id}/calendar``).
        """
        if item.master.is_deleted:
            raise item_not_found()
        return self.get_calendar(call, item.master.calendar)

    def attachments(self, call: Call, item: Item) -> Answer:
        """The attachments' metadata; their contents are not kept."""
        query = read_query(call.query, call.headers)
        select = query.select(_ATTACHMENT_PROPERTIES)
        found = [_attachment(item, number) for number in range(item.attachments)]
        if select is not None:
            kept = ("@odata.type", "id", *select)
            found = [{name: entry.get(name) for name in kept} for entry in found]
        page, link = self._cut(found, query, call)
        return Answer(200, as_page(page, _context(call), link), _applied(query))

    def _read(self, call: Call, *, creating: bool) -> Changes:
        return read_event(call.json(), creating=creating, wrap_bodies=self._settings.normalise_bodies)

    def _single(self, call: Call, item: Item, query: Query, view: View, status: int) -> Answer:
        headers = _applied(query)
        refuse_corrupt(call.faults, [item], view.select)
        shown = event_json(item, view, self._settings)
        body = {"@odata.context": _context(call), **malformed(call.faults, item, shown)}
        headers["ETag"] = item.stamp.etag
        if status == 201:
            headers["Location"] = (
                f"{call.base}/users('{item.master.calendar.mailbox.oid}')/events('{shown['id']}')"
            )
        return Answer(status, body, headers)

    def _duplicate(self, mailbox: Mailbox, transaction_id: str, view: View) -> Answer | None:
        """The answer to a POST with a transactionId that was used already (graph.md, transactionId)."""
        settings = self._settings
        key = self._state.remembered(mailbox, transaction_id, settings.transaction_memory_seconds)
        if key is None:
            return None
        existing = mailbox.events.get(key)
        if settings.duplicate_transaction == "201_existing" and existing is not None:
            return Answer(201, event_json(existing, view, settings), {"ETag": existing.stamp.etag})
        extra = {}
        if settings.existing_event_id_included and existing is not None:
            extra["@event.existingEventId"] = existing.id(immutable=view.immutable)
        status = 400 if settings.duplicate_transaction == "400" else 409
        raise GraphError(status, "ErrorDuplicateTransactionId", _DUPLICATE, extra=extra)


@dataclass(slots=True)
class _CalendarRow:
    data: Json
    item: None = None


_ATTACHMENT_PROPERTIES = frozenset({"id", "name", "contentType", "size", "isInline", "lastModifiedDateTime"})


def _attachment(item: Item, number: int) -> Json:
    return {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "@odata.mediaContentType": "application/pdf",
        "id": f"{item.id(immutable=True)[:-4]}-{number}",
        "name": f"attachment-{number + 1}.pdf",
        "contentType": "application/pdf",
        "size": 1024 * (number + 1),
        "isInline": False,
        "lastModifiedDateTime": item.stamp.created,
    }


def _by_start(item: Item) -> tuple[int, str]:
    return item.span.start_us, item.master.key


_SORT_KEYS: dict[str, Callable[[Item], object]] = {
    "end/dateTime": lambda item: (item.span.end_us, item.master.key),
    "subject": lambda item: (item.fields["subject"].casefold(), item.master.key),
    "createdDateTime": lambda item: (item.stamp.created, item.master.key),
    "lastModifiedDateTime": lambda item: (item.stamp.modified, item.master.key),
}


def _sort(items: list[Item], name: str, descending: bool) -> None:
    key: Callable[[Item], object] = _SORT_KEYS.get(name, _by_start)
    items.sort(key=key, reverse=descending)  # type: ignore[arg-type]


def _check_etag(call: Call, item: Item) -> None:
    """If-Match of another state than the present one: 412 (graph.md, Event)."""
    wanted = call.headers.get("If-Match")
    if wanted in (None, "", "*"):
        return
    tags = {tag.strip() for tag in str(wanted).split(",")}
    if tags.isdisjoint({item.stamp.etag, f'"{item.stamp.change_key}"', item.stamp.change_key}):
        raise conflict(412)


def _calendar_name(body: object, *, required: bool) -> str | None:
    if not isinstance(body, dict):
        raise invalid_body("Empty Payload. JSON content expected.")
    for name in body:
        if name not in CALENDAR_PROPERTIES and "@odata." not in name:
            raise invalid_body(f"The property '{name}' does not exist on type 'microsoft.graph.calendar'.")
    value = body.get("name")
    if value is None and not required:
        return None
    if not isinstance(value, str) or not value.strip() or len(value) > 255:
        raise invalid_value("A calendar needs a name of at most 255 characters.")
    return value


def _context(call: Call) -> str:
    return f"{call.base}/$metadata#{call.path.lstrip('/')}"


def _applied(query: Query) -> dict[str, str]:
    return {"Preference-Applied": ", ".join(query.applied)} if query.applied else {}

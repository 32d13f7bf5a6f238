"""Paths at Graph, relative to the version, taken from the SDK's request builders."""

from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from shared.graph.client import GraphClient
from shared.graph.copy_codec import COPY_EXPAND, COPY_FIELDS

CALENDAR_FIELDS = ("id", "name", "isDefaultCalendar", "canEdit", "owner")
MAILBOX_FIELDS = ("id", "userPrincipalName", "mail", "displayName")
PAGE_SIZE = 1000
# Occurrences of one series hardly overlap, so few of an earlier date reach into a range.
_FIRST_OCCURRENCES = 10
_REMEMBERED = 2048


class Paths:
    """Paths for one client. Those of a calendar's events are built once and cached."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client
        self._events: OrderedDict[tuple[str, str | None], str] = OrderedDict()

    def mailbox(self, mailbox: str) -> str:
        """``/users/{id}`` with the fields of a mailbox."""
        return self._with_query(self._user(mailbox), {"select": list(MAILBOX_FIELDS)})

    def mailbox_purpose(self, mailbox: str) -> str:
        """``/users/{id}/mailboxSettings``, only the purpose of the mailbox."""
        return self._with_query(self._user(mailbox).mailbox_settings, {"select": ["userPurpose"]})

    def calendars(self, mailbox: str) -> str:
        """``/users/{id}/calendars`` in full pages."""
        query = {"select": list(CALENDAR_FIELDS), "top": PAGE_SIZE}
        return self._with_query(self._user(mailbox).calendars, query)

    def new_calendar(self, mailbox: str) -> str:
        """Where to post a calendar."""
        return self._with_query(self._user(mailbox).calendars, {})

    def calendar(self, mailbox: str, calendar_id: str) -> str:
        """One calendar with its fields."""
        builder = self._user(mailbox).calendars.by_calendar_id(calendar_id)
        return self._with_query(builder, {"select": list(CALENDAR_FIELDS)})

    def window(
        self,
        mailbox: str,
        calendar_id: str,
        start: datetime,
        end: datetime,
        fields: Sequence[str],
        expand: str | None = None,
    ) -> str:
        """``calendarView`` of ``[start, end)`` by start, in full pages."""
        builder = self._user(mailbox).calendars.by_calendar_id(calendar_id).calendar_view
        query: dict[str, Any] = {
            "start_date_time": graph_instant(start),
            "end_date_time": graph_instant(end),
            "select": list(fields),
            "orderby": ["start/dateTime"],
            "top": PAGE_SIZE,
        }
        if expand is not None:
            query["expand"] = [expand]
        return self._with_query(builder, query)

    def instances(self, mailbox: str, series_id: str, start: datetime, end: datetime) -> str:
        """The first occurrences of a series that intersect ``[start, end)``, only ids and original starts."""
        builder = self._user(mailbox).events.by_event_id(series_id).instances
        query = {
            "start_date_time": graph_instant(start),
            "end_date_time": graph_instant(end),
            "select": ["id", "originalStart"],
            "top": _FIRST_OCCURRENCES,
        }
        return self._with_query(builder, query)

    def any_event(self, mailbox: str, calendar_id: str) -> str:
        """The ids of the events and series of a calendar, page by page."""
        query = {"select": ["id"], "top": PAGE_SIZE}
        return self._with_query(self._collection(mailbox, calendar_id), query)

    def search(
        self, mailbox: str, calendar_id: str | None, condition: str, fields: Sequence[str], expand: str
    ) -> str:
        """The events of a calendar or of the mailbox that match ``$filter``."""
        builder = self._collection(mailbox, calendar_id)
        return self._with_query(builder, {"filter": condition, "select": list(fields), "expand": [expand]})

    def copies(self, mailbox: str, calendar_id: str, ids: Sequence[str]) -> list[str]:
        """Events of one calendar by id, each with the fields and properties of a copy."""
        query = f"?$select={','.join(COPY_FIELDS)}&$expand={quote(COPY_EXPAND, safe='()$=,')}"
        return [self.event(mailbox, calendar_id, each) + query for each in ids]

    def found_event(self, mailbox: str, event_id: str, fields: Sequence[str], expand: str) -> str:
        """One event in any calendar of the mailbox, with expanded properties."""
        builder = self._user(mailbox).events.by_event_id(event_id)
        return self._with_query(builder, {"select": list(fields), "expand": [expand]})

    def events(self, mailbox: str, calendar_id: str | None) -> str:
        """The collection for posting events. That of the mailbox if ``calendar_id`` is None."""
        key = (mailbox, calendar_id)
        known = self._events.get(key)
        if known is None:
            known = self._with_query(self._collection(mailbox, calendar_id), {})
            self._events[key] = known
            if len(self._events) > _REMEMBERED:
                self._events.popitem(last=False)
        return known

    def event(self, mailbox: str, calendar_id: str | None, event_id: str) -> str:
        """One event, without query."""
        return f"{self.events(mailbox, calendar_id)}/{quote(event_id, safe='')}"

    def _user(self, mailbox: str) -> Any:
        if not mailbox:
            raise ValueError("a mailbox is needed")
        return self._client.sdk.users.by_user_id(mailbox)

    def _collection(self, mailbox: str, calendar_id: str | None) -> Any:
        user = self._user(mailbox)
        return user.events if calendar_id is None else user.calendars.by_calendar_id(calendar_id).events

    def _with_query(self, builder: Any, query: dict[str, Any]) -> str:
        request = builder.to_get_request_information()
        request.query_parameters.update({_TEMPLATE_NAMES[name]: value for name, value in query.items()})
        return self._client.path_of(request)


_TEMPLATE_NAMES = {
    "select": "%24select",
    "expand": "%24expand",
    "filter": "%24filter",
    "orderby": "%24orderby",
    "top": "%24top",
    "start_date_time": "startDateTime",
    "end_date_time": "endDateTime",
}


def graph_instant(moment: datetime) -> str:
    """An aware instant in the form of Graph's window parameters. Raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("windows need aware instants")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

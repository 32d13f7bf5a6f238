"""What people do to meetings and series in Outlook, done to the Graph simulator over its Graph API.

A test says ``await edits.move_series(series, hours=1)``, and the mailbox is as Exchange leaves it.
Every method takes an event as its immutable id or as JSON with ``id``. It gives Graph's JSON of what there is
afterwards: immutable ids, times as wall-clock in the event's own zone. A refusal raises ``EditRefusedError``.
How Graph behaves, and which of it is known, is in docs/graph-series.md; ``switch`` sets what is not.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from infra.local.graph_simulator.values.zones import find_zone
from tests.support.simulator_requests import EditRefusedError, Send

type Json = dict[str, Any]
type EventLike = str | Mapping[str, Any]

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_COPIED = (
    *("subject", "body", "isAllDay", "showAs", "categories", "sensitivity", "importance", "location"),
    *("attendees", "isReminderOn", "reminderMinutesBeforeStart"),
)
_FAR = timedelta(days=800)


def daily(count: int | None = None, *, every: int = 1, until: date | None = None) -> Json:
    """A daily recurrence without its start date: a number of times, until a date, or without end."""
    return {"pattern": {"type": "daily", "interval": every}, "range": _range(count, until)}


def weekly(*days: str, count: int | None = None, every: int = 1, until: date | None = None) -> Json:
    """A weekly recurrence on named days ("monday"), without its start date."""
    pattern = {"type": "weekly", "interval": every, "daysOfWeek": list(days), "firstDayOfWeek": "monday"}
    return {"pattern": pattern, "range": _range(count, until)}


class SeriesEdits:
    """One person's Outlook; ``mailbox`` is an address or object id."""

    def __init__(self, send: Send, mailbox: str) -> None:
        self._send = send
        self._mailbox = mailbox

    # Reading

    async def find(self, subject: str) -> Json:
        """The single event or series master of a subject; raises ``LookupError`` unless there is one."""
        found = []
        link: str | None = f"/users/{self._user}/events?$top=1000"
        while link:
            page = await self._graph("GET", link)
            found += [event for event in page["value"] if event["subject"] == subject]
            link = (page.get("@odata.nextLink") or "").partition("/v1.0")[2] or None
        if len(found) != 1:
            raise LookupError(f"{len(found)} events have the subject {subject!r}")
        return await self.get(found[0])

    async def get(self, event: EventLike) -> Json:
        """An event with its times in its own zone; raises ``EditRefusedError`` (404) if it is gone."""
        there: Json = await self._graph("GET", self._path(event))
        zone = there["originalStartTimeZone"]
        if find_zone(zone) is None or there["isAllDay"]:
            return there
        shown: Json = await self._graph("GET", self._path(event), zone=zone)
        return shown

    async def occurrences(self, series: EventLike) -> list[Json]:
        """All occurrences and exceptions of a series in the order of their starts, times in its zone."""
        master = await self.get(series)
        first = _wall(master["start"])
        window = (
            f"startDateTime={first - _FAR:%Y-%m-%dT%H:%M:%S}&endDateTime={first + _FAR:%Y-%m-%dT%H:%M:%S}"
        )
        page = await self._graph(
            "GET",
            f"{self._path(master)}/instances?{window}&$top=1000",
            zone=None if master["isAllDay"] else master["originalStartTimeZone"],
        )
        found: list[Json] = page["value"]
        return found

    async def occurrence(self, series: EventLike, on: date) -> Json:
        """The occurrence of an original date (in the series' zone), even if it was moved."""
        for item in await self.occurrences(series):
            if _original_date(item) == on:
                return item
        raise LookupError(f"the series has no occurrence on {on}")

    # Single events and whole series

    async def create(
        self,
        subject: str,
        start: datetime,
        minutes: int = 60,
        *,
        zone: str = "UTC",
        recurrence: Json | None = None,
        **fields: Any,
    ) -> Json:
        """Enter an event or, with ``daily(…)`` or ``weekly(…)``, a series; ``start`` is wall-clock time."""
        body = {"subject": subject, **_times(start, start + timedelta(minutes=minutes), zone), **fields}
        if recurrence is not None:
            body["recurrence"] = _starting(recurrence, start.date())
        return await self._create(body)

    async def delete(self, event: EventLike) -> None:
        """Delete an event, a whole series, or one occurrence."""
        await self._graph("DELETE", self._path(event))

    async def edit(self, event: EventLike, **fields: Any) -> Json:
        """Change texts, categories, ``showAs``, attendees and the like of an event or a whole series."""
        return await self._patch(event, fields)

    async def move(self, event: EventLike, to: datetime, *, minutes: int | None = None) -> Json:
        """Drag a single event or an occurrence to another time, in its own zone."""
        return await self._move(await self.get(event), to, minutes)

    async def re_enter(self, event: EventLike, **fields: Any) -> Json:
        """Delete an event or series and enter the same again; ``fields`` are what is entered otherwise."""
        there = await self.get(event)
        await self.delete(there)
        body = _entry(there) | fields
        if there.get("recurrence"):
            body.setdefault("recurrence", there["recurrence"])
        return await self._create(body)

    async def restore_deleted(self, event: EventLike, calendar: str = "Calendar") -> Json:
        """Drag an event out of Deleted Items; needs the switch ``deleted_items="found"``."""
        return await self.move_to_calendar(event, calendar)

    async def turn_single_into_series(self, event: EventLike, recurrence: Json) -> Json:
        """Give a single event a recurrence: the same item becomes the series master."""
        there = await self.get(event)
        body = {"recurrence": _starting(recurrence, _wall(there["start"]).date())}
        return await self._patch(there, body)

    async def turn_series_into_single(self, series: EventLike) -> Json:
        """Remove the recurrence: the master becomes the single event of the first date."""
        return await self._patch(series, {"recurrence": None})

    # Series

    async def move_series(
        self, series: EventLike, *, days: int = 0, hours: int = 0, minutes: int = 0, longer: int = 0
    ) -> Json:
        """Move every occurrence; over days, pattern and end move along. ``longer`` adds minutes."""
        master = await self.get(series)
        by = timedelta(days=days, hours=hours, minutes=minutes)
        start, end = _wall(master["start"]) + by, _wall(master["end"]) + by + timedelta(minutes=longer)
        body = _times(start, end, master["originalStartTimeZone"])
        shift = (start.date() - _wall(master["start"]).date()).days
        if shift:
            body["recurrence"] = _shifted(master["recurrence"], start.date(), shift)
        return await self._patch(master, body)

    async def change_pattern(self, series: EventLike, **pattern: Any) -> Json:
        """Change members of the pattern (``interval=2``, ``type=…``): Graph resets the exceptions."""
        master = await self.get(series)
        changed = {**master["recurrence"], "pattern": {**master["recurrence"]["pattern"], **pattern}}
        return await self._patch(master, {"recurrence": changed})

    async def change_range(
        self, series: EventLike, *, count: int | None = None, until: date | None = None
    ) -> Json:
        """End the series after a number of times, on a date, or (without either) never."""
        master = await self.get(series)
        changed = _starting(
            {"pattern": master["recurrence"]["pattern"], "range": _range(count, until)},
            _wall(master["start"]).date(),
        )
        return await self._patch(master, {"recurrence": changed})

    async def reset_exceptions(self, series: EventLike) -> Json:
        """Change the pattern and change it back: same dates, every exception and deletion undone."""
        master = await self.get(series)
        interval = master["recurrence"]["pattern"]["interval"]
        await self.change_pattern(master, interval=interval + 1)
        return await self._patch(master, {"recurrence": master["recurrence"]})

    async def split_series(
        self,
        series: EventLike,
        at: date,
        *,
        rename: str | None = None,
        hours: int = 0,
        days: int = 0,
        **fields: Any,
    ) -> Json:
        """ "This and following" from the occurrence of the date ``at``. Returns the new series' master.

        As in Outlook, the old series ends the day before. A new one, with another id and ``iCalUId``, takes
        its remaining dates, without the exceptions. ``hours`` and ``days`` move the new one.
        """
        master = await self.get(series)
        first = _wall(master["start"]).date()
        ordered = sorted(_original_date(item) for item in await self.occurrences(master))
        if at not in ordered or at == ordered[0]:
            raise LookupError(f"the series cannot be split at {at}")
        old = master["recurrence"]
        new_range = dict(old["range"])
        if new_range["type"] == "numbered":
            new_range = _range(None, ordered[-1])
        await self.change_range(master, until=at - timedelta(days=1))
        by = timedelta(days=(at - first).days + days, hours=hours)
        start, end = _wall(master["start"]) + by, _wall(master["end"]) + by
        shift = (start.date() - at).days
        recurrence = _shifted({"pattern": old["pattern"], "range": new_range}, start.date(), shift)
        body = _entry(master) | _times(start, end, master["originalStartTimeZone"]) | fields
        if rename is not None:
            body["subject"] = rename
        return await self._create({**body, "recurrence": recurrence})

    # Occurrences

    async def edit_occurrence(self, series: EventLike, on: date, **fields: Any) -> Json:
        """Change one occurrence, which makes it an exception."""
        return await self._patch(await self.occurrence(series, on), fields)

    async def drag_occurrence(
        self, series: EventLike, on: date, to: datetime, *, minutes: int | None = None
    ) -> Json:
        """Drag the occurrence of a date to a time in the series' zone.

        Over or onto the day of a neighbour Graph refuses: ``EditRefusedError`` with
        ``ErrorOccurrenceCrossingBoundary``. With the switch ``occurrence_boundary="off"`` it does not.
        """
        return await self._move(await self.occurrence(series, on), to, minutes)

    async def delete_occurrence(self, series: EventLike, on: date) -> None:
        """Delete the occurrence of a date: no view shows a trace of it."""
        await self.delete(await self.occurrence(series, on))

    # What only Outlook, or an organizer elsewhere, can do

    async def move_to_calendar(self, event: EventLike, calendar: str) -> Json:
        """Move an event or a whole series to a calendar of the mailbox by name; immutable ids stay."""
        moved = await self._admin("move", event, {"calendar": calendar})
        return await self.get(moved)

    async def new_invitation(
        self, event: EventLike, *, organizer: str | None = None, keep_old: bool = False
    ) -> Json:
        """The same invitation, sent again: another id and ``iCalUId``, without the owner's categories."""
        body: Json = {"keep_old": keep_old}
        if organizer is not None:
            body["organizer"] = {"emailAddress": {"address": organizer}}
        return await self.get(await self._admin("invite-again", event, body))

    async def replace_organizer(self, event: EventLike, organizer: str, *, same_item: bool = True) -> Json:
        """Another organizer: of the same item, or (``same_item=False``) by an invitation of their own."""
        if not same_item:
            return await self.new_invitation(event, organizer=organizer)
        body = {"emailAddress": {"address": organizer}}
        return await self.get(await self._admin("organizer", event, body))

    async def switch(self, **settings: Any) -> None:
        """Set switches of the simulator (``settings.py``), such as ``exceptions_on_time_change="kept"``."""
        await self._sent("PATCH", "/_simulator/settings", settings, {})

    # Requests

    @property
    def _user(self) -> str:
        return quote(self._mailbox, safe="@")

    def _path(self, event: EventLike) -> str:
        event_id = event if isinstance(event, str) else event["id"]
        return f"/users/{self._user}/events/{quote(event_id, safe='')}"

    async def _create(self, body: Json) -> Json:
        return await self.get(await self._graph("POST", f"/users/{self._user}/events", body))

    async def _patch(self, event: EventLike, body: Json) -> Json:
        return await self.get(await self._graph("PATCH", self._path(event), body))

    async def _move(self, item: Json, to: datetime, minutes: int | None) -> Json:
        length = _wall(item["end"]) - _wall(item["start"])
        if minutes is not None:
            length = timedelta(minutes=minutes)
        return await self._patch(item, _times(to, to + length, item["originalStartTimeZone"]))

    async def _graph(self, method: str, path: str, body: Json | None = None, zone: str | None = None) -> Any:
        prefer = 'IdType="ImmutableId"'
        if zone is not None:
            prefer += f', outlook.timezone="{zone}"'
        return await self._sent(method, f"/v1.0{path}", body, {"Prefer": prefer})

    async def _admin(self, action: str, event: EventLike, body: Json) -> Json:
        event_id = quote(event if isinstance(event, str) else event["id"], safe="")
        path = f"/_simulator/mailboxes/{self._user}/events/{event_id}/{action}"
        answer: Json = await self._sent("POST", path, body, {})
        return answer

    async def _sent(self, method: str, path: str, body: Json | None, headers: dict[str, str]) -> Any:
        status, answer = await self._send(method, path, body, headers)
        if status >= 400:
            error = (answer or {}).get("error", {})
            raise EditRefusedError(status, error.get("code", ""), error.get("message", ""))
        return answer


def _wall(value: Json) -> datetime:
    return datetime.fromisoformat(value["dateTime"][:26])


def _times(start: datetime, end: datetime, zone: str) -> Json:
    return {
        "start": {"dateTime": start.replace(tzinfo=None).isoformat(), "timeZone": zone},
        "end": {"dateTime": end.replace(tzinfo=None).isoformat(), "timeZone": zone},
    }


def _entry(event: Json) -> Json:
    """The body that enters an event like another one, times included."""
    body = {name: event[name] for name in _COPIED}
    if not body["attendees"]:
        del body["attendees"]
    zone = event["originalStartTimeZone"]
    return body | _times(_wall(event["start"]), _wall(event["end"]), zone)


def _range(count: int | None, until: date | None) -> Json:
    if count is not None:
        return {"type": "numbered", "numberOfOccurrences": count}
    return {"type": "noEnd"} if until is None else {"type": "endDate", "endDate": until.isoformat()}


def _starting(recurrence: Json, first: date) -> Json:
    return {**recurrence, "range": {**recurrence["range"], "startDate": first.isoformat()}}


def _shifted(recurrence: Json, first: date, days: int) -> Json:
    """The recurrence of a series that moves by this many days and then starts on ``first``."""
    pattern, span = dict(recurrence["pattern"]), dict(recurrence["range"])
    if pattern.get("daysOfWeek") and pattern["type"] == "weekly":
        places = [(_DAYS.index(day) + days) % 7 for day in pattern["daysOfWeek"]]
        pattern["daysOfWeek"] = [_DAYS[place] for place in places]
    if pattern["type"].startswith("absolute") and days:
        pattern["dayOfMonth"] = first.day
    if span["type"] == "endDate":
        span["endDate"] = (date.fromisoformat(span["endDate"]) + timedelta(days=days)).isoformat()
    return {"pattern": pattern, "range": {**span, "startDate": first.isoformat()}}


def _original_date(item: Json) -> date:
    """The date of the original start, in the zone of the series."""
    if "occurrenceId" in item:
        return date.fromisoformat(item["occurrenceId"].rpartition(".")[2])
    zone = find_zone(item["originalStartTimeZone"]) or UTC
    return datetime.fromisoformat(item["originalStart"]).astimezone(zone).date()

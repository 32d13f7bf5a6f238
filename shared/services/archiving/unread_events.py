"""Events that could not be read: retried each night for 30 days, and reported once (domain.md 2.2, 2.12)."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TypedDict
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.archiving.unread_events import NotedEvent, UnreadEventRepository
from shared.domain.runs.plan_counts import PlanCounts
from shared.domain.runs.unread import ListedUnread, Unread, UnreadEvents
from shared.domain.runs.window import Window, local_day_start
from shared.services.archiving.context import RunContext

KEEP_TRYING = timedelta(days=30)
#: At most this many ranges of days are read again in one night.
MOST_WINDOWS = 31
# A failure counts as known while it is retried: each nightly run lists it again.
_REMEMBERED = timedelta(days=32)
_DAY = timedelta(days=1)
# At most this many unreadable events are listed. The others are found again when the listed ones are read.
_NAMED = 1000


class UnreadCounts(TypedDict):
    """Counts of a plan that unreadable events change."""

    source: int
    unreadable: int
    unreadable_events: list[ListedUnread]


def named(unread: UnreadEvents, window: Window, counts: Mapping[str, int]) -> UnreadCounts:
    """Count events that could not be read or understood as failed, and list them (domain.md 2.12)."""
    found = unread.of_window(window)
    return {
        "source": counts.get("source", 0) + len(found),
        "unreadable": len(found),
        "unreadable_events": [each.to_json() for each in found[:_NAMED]],
    }


async def dated(session: AsyncSession, context: RunContext, counts: PlanCounts, now: datetime) -> PlanCounts:
    """The counts, with the first time that each event could not be read, and the number of new ones."""
    if not counts.unreadable_events:
        return counts
    noted = await UnreadEventRepository(session).noted_unscoped([context.configuration_id], now - _REMEMBERED)
    since = [_since(Unread.from_json(each), noted) or now for each in counts.unreadable_events]
    events = [
        ListedUnread(**each, since=at.isoformat())
        for each, at in zip(counts.unreadable_events, since, strict=True)
    ]
    new = since.count(now)
    return replace(counts, unreadable_events=events, new_unreadable=new)


async def windows_to_read_again(
    session: AsyncSession, configurations: Sequence[ArchiveConfiguration], now: datetime
) -> dict[UUID, list[Window]]:
    """Local days in which something could not be read, by configuration. Consecutive days form one window."""
    noted = await UnreadEventRepository(session).noted_unscoped(
        [each.id for each in configurations], now - _REMEMBERED
    )
    zones = {each.id: ZoneInfo(each.time_zone) for each in configurations}
    days: dict[UUID, set[date]] = {}
    for each in noted:
        if each.read_again or (each.since is not None and each.since < now - KEEP_TRYING):
            continue
        days.setdefault(each.configuration_id, set()).update(_days(each, zones[each.configuration_id]))
    return {key: _windows(sorted(found), zones[key])[:MOST_WINDOWS] for key, found in days.items()}


async def partners(
    session: AsyncSession, context: RunContext, unread: UnreadEvents, met: Container[str]
) -> dict[str, UUID]:
    """Keys of events that overlap unreadable ones, with the stored groups. ``met`` keys were read."""
    first, last = context.window.read_range
    slots = [(each.start or first, each.end or last) for each in unread.slots]
    found = await UnreadEventRepository(session).partners(
        context.owner_id, context.configuration_id, unread.ids, slots
    )
    return {each.partner: each.group_id for each in found if each.missing not in met}


def beyond(windows: Sequence[Window], planned: Window | None) -> list[Window]:
    """Those windows that the planned window does not cover."""
    if planned is None:
        return list(windows)
    return [each for each in windows if each.start < planned.start or each.end > planned.end]


def _since(event: Unread, noted: Sequence[NotedEvent]) -> datetime | None:
    """Since when the same failure is listed: the same event, or a range that overlaps this one."""
    for each in noted:
        other = each.event
        if event.event_id is not None:
            same = other.event_id == event.event_id
        else:
            same = other.event_id is None and _overlap(event, other)
        if same:
            return each.since or each.planned_at
    return None


def _overlap(one: Unread, other: Unread) -> bool:
    if one.start is None or one.end is None or other.start is None or other.end is None:
        return True
    return one.start < other.end and other.start < one.end


def _days(noted: NotedEvent, zone: ZoneInfo) -> list[date]:
    event = noted.event
    first = last = event.start or noted.window_start
    if event.event_id is None or event.start is None:
        last = noted.window_end - _DAY / 24
    if event.event_id is None and event.end:
        last = min(event.end - timedelta(seconds=1), last)
    first = max(first, noted.window_start)
    day, until = first.astimezone(zone).date(), max(first, last).astimezone(zone).date()
    return [day + number * _DAY for number in range((until - day).days + 1)]


def _windows(days: Sequence[date], zone: ZoneInfo) -> list[Window]:
    windows: list[Window] = []
    for day in days:
        start, end = local_day_start(day, zone), local_day_start(day + _DAY, zone)
        if windows and windows[-1].end == start:
            windows[-1] = Window(windows[-1].start, end, zone)
        elif start < end:
            windows.append(Window(start, end, zone))
    return windows

"""Copies in a calendar that our own database keeps, read as their owner reads them: over the API.

They show no ``ArchiveKey``; each is attributed to the source event of its subject and time.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from infra.local.api import Api
from infra.local.errors import LocalError
from infra.local.stack import Stack

type Json = dict[str, Any]

#: A modification may move an event out of the range in which its source lies.
_MARGIN = timedelta(days=1)


async def read_copies(stack: Stack, configuration: Json, start: datetime, end: datetime) -> list[Json]:
    """The archived copies of a local archive calendar, as its owner sees them."""
    address = unquote(configuration["archive"].partition("://")[2].partition("/")[0])
    api = Api(stack.client, stack.api, await stack.token(address, ("User",)))
    calendars = api.items(f"users/{configuration['user_id']}/calendars", store="local")
    ids = [
        entry["local_calendar_id"]
        async for entry in calendars
        if entry["id"] == configuration["archive_calendar_id"]
    ]
    if len(ids) != 1:
        raise LocalError(f"{address} has {len(ids)} calendars named {configuration['archive']}")
    span = {"start": (start - _MARGIN).isoformat(), "end": (end + _MARGIN).isoformat()}
    events = api.items(f"local-calendars/{ids[0]}/events", **span)
    return [event async for event in events if event["is_archived_copy"]]


def attributed(
    copies: Iterable[Json], source: Iterable[Json], archive_key: Callable[[Json], str]
) -> list[Json]:
    """The copies with the archive key of the source event that each is of; a further copy of one shares its.

    A modification moves one edge of a meeting (domain.md 4), so the other one is enough. Copies of no source
    event are left out: the source of a copy may vanish (domain.md 2.4).
    """
    sources: defaultdict[str, list[_Source]] = defaultdict(list)
    for event in source:
        sources[str(event["subject"])].append(
            _Source(
                _instant(event["start"]["dateTime"]), _instant(event["end"]["dateTime"]), archive_key(event)
            )
        )
    told = []
    for copy in copies:
        if meant := _meant(sources[str(copy["subject"])], _instant(copy["start"]), _instant(copy["end"])):
            meant.copies += 1
            key = {"id": "String Name ArchiveKey", "value": meant.archive_key}
            told.append({"singleValueExtendedProperties": [key]})
    return told


@dataclass(slots=True)
class _Source:
    start: datetime
    end: datetime
    archive_key: str
    copies: int = 0


def _meant(candidates: Sequence[_Source], start: datetime, end: datetime) -> _Source | None:
    """The event that fits best: one without a copy before one with, both edges before one."""
    fitting = [each for each in candidates if each.start == start or each.end == end]
    return min(
        fitting, key=lambda each: (each.copies > 0, each.start != start, each.end != end), default=None
    )


def _instant(text: str) -> datetime:
    """An instant of either form: Graph's with seven digits and no zone (UTC), or our API's."""
    return datetime.fromisoformat(text[:26].removesuffix("Z")).replace(tzinfo=UTC)

"""Copies in a calendar that our own database keeps, read as their owner reads them: over the API.

They show no ``ArchiveKey``; each is attributed to the source event of its subject and time.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from infra.local.api import Api
from infra.local.archive_copies import Copy
from infra.local.errors import LocalError
from infra.local.stack import Stack

type Json = dict[str, Any]

#: A modification may move an event out of the range in which its source lies.
_MARGIN = timedelta(days=1)


async def read_copies(stack: Stack, configuration: Json, start: datetime, end: datetime) -> list[Json]:
    """The events of a local archive calendar, as its owner sees them."""
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
    span = {"window_start": (start - _MARGIN).isoformat(), "window_end": (end + _MARGIN).isoformat()}
    events = api.items(f"local-calendars/{ids[0]}/events", **span)
    return [event async for event in events]


def attributed(copies: Iterable[Json], source: Iterable[Json]) -> list[Copy]:
    """The copies, each with the id of the source event that it is of; a further copy of one shares its.

    A modification moves one edge of a meeting (domain.md 4), so the other one is enough. A copy of no source
    event is one of its own: the source of a copy may vanish (domain.md 2.4).
    """
    sources: defaultdict[str, list[_Source]] = defaultdict(list)
    for event in source:
        sources[str(event["subject"])].append(
            _Source(
                _instant(event["start"]["dateTime"]), _instant(event["end"]["dateTime"]), str(event["id"])
            )
        )
    told = []
    for copy in copies:
        archive_key, source_id = f"local:{copy['id']}", ""
        if not copy["is_archived_copy"]:
            archive_key = ""
        elif meant := _meant(sources[str(copy["subject"])], _instant(copy["start"]), _instant(copy["end"])):
            meant.copies += 1
            source_id = meant.id
        told.append(
            Copy(
                str(copy["subject"]),
                copy["start"][:19],
                copy["end"][:19],
                archive_key=archive_key,
                source=source_id,
            )
        )
    return told


@dataclass(slots=True)
class _Source:
    start: datetime
    end: datetime
    id: str
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

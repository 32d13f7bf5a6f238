"""Which events are known again after they came again under other ids (domain.md 2.16), from Graph's JSON.

They are the same for certain, or their owner is asked. Of all others, old copies stay beside the new ones.
"""

from collections.abc import Callable, Hashable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tests.simulation.entries import ARCHIVE_ZONES
from tests.simulation.rules import modifies
from tests.simulation.source_keys import Json, key_of, original_date

type _Name = Callable[[Json], Hashable | None]


def unknown_again(before: Sequence[Json], now: Sequence[Json]) -> int:
    """How many events of one meeting stand under other ids now, where nobody knows them again.

    Nobody misses what still stands. So it is no more than what is gone, and no more than what is new.
    """
    kept, known = {key_of(each) for each in now}, {_entered(each) for each in before}
    gone = [each for each in before if key_of(each) not in kept]
    new = [each for each in now if _entered(each) not in known]
    # One day that two series share is enough: then their owner is asked about the others (domain.md 2.17).
    days = {_day_of_series(each) for each in gone} - {None}
    goes_on = {_entered(each) for each in new if _day_of_series(each) in days}
    old_ones = [each for each in gone if not any(_is_known(each, other) for other in new)]
    new_ones = [
        each
        for each in new
        if _entered(each) not in goes_on and not any(_is_known(other, each) for other in gone)
    ]
    return min(len(old_ones), len(new_ones))


def _is_known(old: Json, new: Json) -> bool:
    """Whether domain.md 2.16 a to e find that two events are one meeting, or that their owner is asked."""
    ways = (_invitation, _entry, _day_of_series)
    return (
        any(_have_one(way, old, new) for way in ways)
        or _share_an_instant(old, new)
        or all(_have_one(_on_day_in(zone), old, new) for zone in ARCHIVE_ZONES)
    )


def _have_one(way: _Name, old: Json, new: Json) -> bool:
    name = way(old)
    return name is not None and name == way(new)


def _invitation(item: Json) -> Hashable | None:
    slot = str(item.get("originalStart") or _time(item, "start"))[:19]
    return (item["iCalUId"], slot) if item["iCalUId"] else None


def _entry(item: Json) -> Hashable:
    organizer = "" if modifies(item["subject"]) is not None else _organizer(item)
    return _subject(item), organizer, _time(item, "start"), _time(item, "end")


def _day_of_series(item: Json) -> Hashable | None:
    if item["type"] == "singleInstance" or _is_known_by_times(item):
        return None
    return _subject(item), _organizer(item), original_date(item)


def _on_day_in(zone: str) -> _Name:
    def named(item: Json) -> Hashable | None:
        if _is_known_by_times(item):
            return None
        start = datetime.fromisoformat(_time(item, "start")).replace(tzinfo=UTC)
        return _subject(item), _organizer(item), start.astimezone(ZoneInfo(zone)).date()

    return named


def _share_an_instant(old: Json, new: Json) -> bool:
    if _is_known_by_times(old) or _is_known_by_times(new):
        return False
    start = max(_time(old, "start"), _time(new, "start"))
    return start < min(_time(old, "end"), _time(new, "end"))


def _is_known_by_times(item: Json) -> bool:
    """Whether an event is known by its times alone (domain.md 2.16): a modification, free or all-day."""
    return modifies(item["subject"]) is not None or item["isAllDay"] or item["showAs"] == "free"


def _entered(item: Json) -> tuple[str, str]:
    """What was entered: a single event or a series. One that becomes the other has new ids, too."""
    series = item.get("seriesMasterId") if item["type"] != "singleInstance" else None
    return ("single", item["id"]) if series is None else ("series", series)


def _time(item: Json, edge: str) -> str:
    return str(item[edge]["dateTime"])[:19]


def _subject(item: Json) -> str:
    return str(item["subject"]).strip().casefold()


def _organizer(item: Json) -> str:
    return str((item.get("organizer") or {}).get("emailAddress", {}).get("address", "")).casefold()

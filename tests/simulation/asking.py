"""Questions judged from the calendar's side: nobody is asked what their calendar tells (domain.md 2.16 a, b).

Like the oracle of minutes it reads what the calendars held at every moment. It also reads both sides of each
question.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from tests.simulation.mailbox import Moment
from tests.simulation.rules import modifies
from tests.simulation.source_keys import Json, key_of


def needless(moments: Sequence[Moment], asked: Iterable[tuple[str, str]]) -> list[str]:
    """Questions whether two events are one meeting though the calendar says it.

    ``asked`` are Graph's ids of the event that was archived and of the new one.
    """
    versions: dict[str, list[Json]] = defaultdict(list)
    for moment in moments:
        for item in (*moment.source, *moment.elsewhere):
            versions[item["id"]].append(item)
    problems = []
    for old, new in asked:
        if old in versions and new in versions:
            subject = versions[old][-1]["subject"]
            if _one_invitation(versions, old, new):
                problems.append(f"asked about {subject!r}, though both are one invitation")
            if _goes_on(moments, versions, old, new):
                problems.append(f"asked about {subject!r}, though its series goes on in the other")
    return problems


def _one_invitation(versions: dict[str, list[Json]], old: str, new: str) -> bool:
    """Two single events of one ``iCalUId`` at one time, whatever else was changed."""
    both = [*versions[old], *versions[new]]
    if any(item["type"] != "singleInstance" for item in both):
        return False
    return _alone(versions, (old, new), lambda item: (item["iCalUId"], item["start"]["dateTime"]))


def _goes_on(moments: Sequence[Moment], versions: dict[str, list[Json]], old: str, new: str) -> bool:
    """Occurrences of one subject, organizer and date, where the series of the old one ended before."""
    both = [*versions[old], *versions[new]]
    if any(item["type"] == "singleInstance" or item["isAllDay"] or _is_aside(item) for item in both):
        return False
    if not _alone(versions, (old, new), lambda item: (_subject(item), _organizer(item), _date(item))):
        return False
    series, date = versions[old][-1]["seriesMasterId"], _date(versions[old][-1])
    return not any(
        item.get("seriesMasterId") == series and _date(item) >= date
        for moment in moments
        if any(item["id"] == new for item in moment.source)
        for item in moment.source
    )


def _alone(versions: dict[str, list[Json]], ids: tuple[str, str], named: Callable[[Json], object]) -> bool:
    """Whether all versions of these two have one name, and no other event ever had it."""
    names = {named(item) for each in ids for item in versions[each]}
    return len(names) == 1 and not any(
        named(item) in names for other, items in versions.items() if other not in ids for item in items
    )


def _is_aside(item: Json) -> bool:
    return item["showAs"] == "free" or modifies(item["subject"]) is not None


def _subject(item: Json) -> str:
    return str(item["subject"]).strip().casefold()


def _organizer(item: Json) -> str:
    return str((item.get("organizer") or {}).get("emailAddress", {}).get("address", "")).casefold()


def _date(item: Json) -> str:
    return key_of(item).rpartition(":")[2] if item["type"] != "singleInstance" else ""

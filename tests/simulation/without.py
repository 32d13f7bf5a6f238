"""Rules switched off in this process alone, to see that the oracles miss them.

``python -m tests.simulation --without 2.16c --seeds 100`` simulates with the rule off and stops at the first
seed that fails; ``--without all`` takes each rule in turn. A rule that nobody misses is not tested.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import replace
from typing import Any
from unittest.mock import patch

from shared.domain.appointments import counting
from shared.domain.planning import meetings_left, same_meeting, series_change
from shared.services.archiving import source_following
from shared.services.archiving.source_reading import SourceReader
from tests.simulation.prober import Prober

type Switch = Callable[[], Any]


def _no_key(facts: Any) -> None:
    return None


def _no_doubts(left: Any, waiting: Any = ()) -> list[Any]:
    return []


def _all_follows(event: Any, recorded: Any) -> series_change.Kept:
    return series_change.Kept(event, unchanged=False, withheld=False)


def _as_plain(event: Any, recorded: Any) -> series_change.Kept:
    """What was an exception follows like any other occurrence."""
    kept = replace(
        event, start=recorded.start, end=recorded.end, start_zone=recorded.start_zone,
        end_zone=recorded.end_zone, is_all_day=recorded.is_all_day, show_as=recorded.show_as,
    )  # fmt: skip
    return series_change.Kept(kept, unchanged=False, withheld=False)


async def _invented_none(self: Any, session: Any, events: Any, rows: Any) -> set[str]:
    return set()


async def _left_none(self: Any, session: Any, events: Any, rows: Any) -> set[str]:
    return set()


@contextmanager
def _without_same_day() -> Iterator[None]:
    with patch.object(same_meeting, "same_day", _no_key), patch.object(meetings_left, "same_day", _no_key):
        yield


def _without_reason(*reasons: str) -> Switch:
    rules = tuple(rule for rule in counting.RULES if rule.reason not in reasons)
    return lambda: patch.object(counting, "RULES", rules)


SWITCHES: dict[str, Switch] = {
    "2.4 dragged later": lambda: patch.object(SourceReader, "left_behind", _left_none),
    "2.16a": lambda: patch.object(same_meeting, "invitation", _no_key),
    "2.16b": lambda: patch.object(same_meeting, "successor", _no_key),
    "2.16c": lambda: patch.object(same_meeting, "entry", _no_key),
    "2.16d": _without_same_day,
    "2.16d a day off": lambda: patch.object(same_meeting, "within_a_day", _no_doubts),
    "2.16d, e undecided": lambda: patch.object(same_meeting, "in_its_place", _no_doubts),
    "2.16e": lambda: patch.object(same_meeting, "_meeting_in_time", _no_doubts),
    "2.17 times stay": lambda: patch.object(source_following, "keep_archived", _all_follows),
    "2.17 exceptions stay": lambda: patch.object(series_change, "_keep_exception", _as_plain),
    "2.17 no new past days": lambda: patch.object(SourceReader, "_invented", _invented_none),
    **{
        f"2.18 {reason.value.replace('_', ' ')}": _without_reason(reason)
        for reason in dict.fromkeys(rule.reason for rule in counting.RULES)
    },
    "2.19": lambda: patch.object(Prober, "pairs_are_free", new=True),
}


@contextmanager
def switched_off(rule: str | None) -> Iterator[None]:
    """Inside, the product does without a rule. Raises KeyError for one that is not known."""
    if rule is None:
        yield
        return
    with SWITCHES[rule]():
        yield

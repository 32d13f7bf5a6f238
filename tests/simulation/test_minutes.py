"""What the oracle of minutes takes for lost, or for moved though it took place."""

import json
from collections.abc import Set
from datetime import UTC, datetime, timedelta

from tests.simulation.mailbox import Moment
from tests.simulation.minutes import Minutes, Moved, Past
from tests.simulation.rules import Policies
from tests.simulation.shown_events import shown
from tests.simulation.source_keys import Json

BUSY = shown(
    "02-28T14:30",
    "02-28T15:30",
    id="series-1",
    type="occurrence",
    seriesMasterId="series",
    subject="Travel",
    body={"contentType": "html", "content": "<p>Body 1 of meeting 6</p>"},
    originalStart="2026-02-28T14:30:00Z",
    createdDateTime="2026-02-20T08:00:00Z",
    lastModifiedDateTime="2026-03-02T01:05:00Z",
)
FREE = BUSY | {"showAs": "free"}
SUPERSEDED = FREE | {
    "singleValueExtendedProperties": [
        {
            "id": "String {00000000-0000-0000-0000-000000000000} Name ArchiveSource",
            "value": json.dumps({"superseded": True}),
        }
    ]
}
ALONE: Json = {"type": "exception"}
EARLIER = {name: shown("02-28T09:00", "02-28T10:00")[name] for name in ("start", "end")}
LATER = {name: shown("03-07T14:30", "03-07T15:30")[name] for name in ("start", "end")}
LOST = ["meeting 6 ('Travel') is not covered at 02-28 14:30"]


def judged(
    first: Json, last: Json, *copies: Json, asked: Set[int] = frozenset({6}), changed: float = 300.0
) -> list[str]:
    """What is wrong with a day that was ``first``, and is ``last`` since ``changed`` seconds."""
    moments = [Moment(min(0.0, changed) - 1.0, (first,), ()), Moment(changed, (last,), ())]
    past = Past(moments=moments, meetings={6: 1}, touched=set(), asked=set(), stood={}, series_asked=asked)
    return Minutes(past, copies, Policies()).judge()


def test_a_past_day_may_stay_free_while_its_series_counts() -> None:
    assert judged(FREE, BUSY, FREE) == []


def test_a_past_day_stays_free_only_if_its_owner_is_asked_or_keeps_it() -> None:
    assert judged(FREE, BUSY, FREE, asked=set()) == LOST
    assert judged(FREE, BUSY, FREE, asked={5}) == LOST


def test_a_past_day_that_always_counted_is_not_archived_free() -> None:
    assert judged(BUSY, BUSY, FREE) == LOST


def test_a_past_day_without_a_copy_of_its_own_is_lost() -> None:
    assert judged(FREE, BUSY) == LOST
    assert judged(FREE, BUSY, FREE | EARLIER) == LOST
    assert judged(FREE, BUSY, SUPERSEDED) == LOST


def test_a_day_that_was_changed_alone_counts_as_it_says() -> None:
    assert judged(FREE, BUSY | ALONE, FREE) == LOST


def test_a_day_that_counted_before_it_was_over_does_not_stay_free() -> None:
    three_days = timedelta(days=3).total_seconds()
    assert judged(FREE, BUSY, FREE, changed=-three_days) == LOST


def dragged(**changes: str) -> list[str]:
    """What is wrong when the copy of a past single event stands a week later."""
    copy = BUSY | {"type": "singleInstance"} | changes
    later = copy | {"showAs": "busy"} | LATER
    moved = Moved(datetime(2026, 3, 2, 1, tzinfo=UTC), copy, later)
    moments = [Moment(-1.0, (copy,), ()), Moment(300.0, (later,), ())]
    past = Past(moments, {6: 1}, set(), set(), {}, moved=[moved])
    return Minutes(past, [later], Policies()).judge()


def test_a_copy_that_counted_in_the_past_does_not_move_into_the_future() -> None:
    assert dragged() == ["the copy 'Travel' of meeting 6 moved from the past into the future"]
    assert dragged(subject="Extended") == [
        "the copy 'Extended' of meeting 6 moved from the past into the future"
    ]


def test_the_free_copy_of_an_applied_modification_may_follow_it() -> None:
    assert dragged(subject="Extended", showAs="free") == []

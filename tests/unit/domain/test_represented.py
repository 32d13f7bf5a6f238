"""New events that have a duplicate are no meetings of their own (domain.md 2.9, 2.16)."""

from itertools import permutations

from shared.domain.planning.duplicates import represented
from shared.domain.planning.read_event import ReadEvent
from tests.unit.domain.source_events import make_event


def test_a_new_event_is_represented_by_an_archived_duplicate() -> None:
    reads = [ReadEvent.of(make_event(name)) for name in ("a", "b")]
    for new in ("s:a", "s:b"):
        assert represented(reads, {new}, ()) == {new}
    assert represented(reads, (), ()) == set()


def test_of_new_duplicates_one_is_left_in_whatever_order_they_come() -> None:
    for reads in permutations(ReadEvent.of(make_event(name)) for name in ("a", "b", "c")):
        assert represented(reads, {"s:a", "s:b", "s:c"}, ()) == {"s:b", "s:c"}
        assert represented(reads, {"s:a", "s:b", "s:c"}, {"s:c"}) == {"s:a", "s:b"}


def test_an_event_that_differs_is_a_meeting_of_its_own() -> None:
    event = ReadEvent.of(make_event("a"))
    for change in (
        {"subject": "Other"},
        {"body": "Other"},
        {"categories": ("Beta - billable",)},
        {"hours": 2},
    ):
        other = ReadEvent.of(make_event("b", **change))
        assert represented([event, other], {"s:a", "s:b"}, ()) == set()

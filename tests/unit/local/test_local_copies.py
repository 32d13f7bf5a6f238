"""Copies in a calendar of our own are attributed to their source events by subject and time."""

from collections import Counter
from typing import Any

from infra.local.local_copies import attributed

type Json = dict[str, Any]


def test_each_copy_is_of_the_event_of_its_subject_and_start() -> None:
    source = [event("a", "Call", 8, 9), event("b", "Call", 10, 11), event("c", "Lunch", 12, 13)]
    assert keys([copy("Call", 10, 11), copy("Call", 8, 9)], source) == ["b", "a"]


def test_a_meeting_that_a_modification_moved_is_known_by_its_other_edge() -> None:
    source = [event("a", "Call", 8, 9), event("b", "Call", 10, 11)]
    assert keys([copy("Call", 7, 9), copy("Call", 10, 12)], source) == ["a", "b"]


def test_events_alike_get_a_copy_each_before_one_gets_two() -> None:
    twins = [event("a", "Call", 8, 9), event("b", "Call", 8, 9)]
    assert sorted(keys([copy("Call", 8, 9)] * 2, twins)) == ["a", "b"]
    assert max(Counter(keys([copy("Call", 8, 9)] * 3, twins)).values()) == 2


def test_a_copy_whose_source_vanished_is_one_of_its_own() -> None:
    (found,) = attributed([copy("Gone", 8, 9)], [event("a", "Call", 8, 9)])
    assert (found.source, found.is_ours) == ("", True)


def test_what_its_owner_entered_is_no_copy() -> None:
    (found,) = attributed([copy("Call", 8, 9, by_run=False)], [event("a", "Call", 8, 9)])
    assert (found.source, found.is_ours) == ("", False)


def keys(copies: list[Json], source: list[Json]) -> list[str]:
    return [entry.source for entry in attributed(copies, source)]


def event(key: str, subject: str, start: int, end: int) -> Json:
    return {
        "id": key,
        "subject": subject,
        "start": {"dateTime": f"2026-10-05T{start:02}:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": f"2026-10-05T{end:02}:00:00.0000000", "timeZone": "UTC"},
    }


def copy(subject: str, start: int, end: int, *, by_run: bool = True) -> Json:
    return {
        "id": f"{subject} at {start}",
        "is_archived_copy": by_run,
        "subject": subject,
        "start": f"2026-10-05T{start:02}:00:00Z",
        "end": f"2026-10-05T{end:02}:00:00Z",
    }

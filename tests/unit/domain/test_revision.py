"""What counts as a change and what as a duplicate (domain.md 2.4, 2.9)."""

from copy import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.events.revision import duplicate_hash, revision
from shared.domain.events.source_event import EventType, Participant, SourceEvent
from tests.unit.domain.source_events import ANNA, BOB, NOON, make_event

EVENT = make_event()

CARRIED: dict[str, Any] = {
    "subject": "Design review 2",
    "body": "<p>Other</p>",
    "body_type": "text",
    "start": NOON - timedelta(minutes=5),
    "end": NOON + timedelta(hours=2),
    "start_zone": "UTC",
    "end_zone": "UTC",
    "is_all_day": True,
    "location": "Room 5",
    "categories": (),
    "show_as": "free",
    "importance": "high",
    "sensitivity": "private",
    "is_cancelled": True,
    "is_declined": True,
    "has_attachments": True,
    "organizer": None,
    "attendees": (ANNA,),
}
NOT_CARRIED: dict[str, Any] = {
    "id": "AAMk2",
    "type": EventType.EXCEPTION,
    "ical_uid": "other",
    "change_key": "ck2",
    "series_master_id": "m",
    "original_start": NOON,
    "original_date": NOON.date(),
    "entered_at": NOON,
    "changed_at": NOON,
    "masked": True,
}


def test_every_field_of_an_event_is_judged_here() -> None:
    assert CARRIED.keys() | NOT_CARRIED.keys() == set(SourceEvent.__struct_fields__)


@pytest.mark.parametrize("name", CARRIED)
def test_a_change_of_what_the_copy_or_record_carries_is_a_new_revision(name: str) -> None:
    assert revision(replace(EVENT, **{name: CARRIED[name]})) != revision(EVENT)


@pytest.mark.parametrize("name", NOT_CARRIED)
def test_identity_and_change_keys_are_not_part_of_the_revision(name: str) -> None:
    assert revision(replace(EVENT, **{name: NOT_CARRIED[name]})) == revision(EVENT)


def test_a_revision_is_a_sha256_that_stays_the_same_between_releases() -> None:
    # Stored in every map row and every copy: a changed value would rewrite every archive.
    assert revision(EVENT) == "1761adbe943acf52aff2caff56bdaff108a6f1111da7a6773fc263ace3eb0e31"


def test_line_endings_and_the_order_of_attendees_are_no_change() -> None:
    windows = replace(EVENT, body="a\r\nb\r\n")
    assert (
        revision(windows)
        == revision(replace(EVENT, body="a\nb\n"))
        == revision(replace(EVENT, body="a\rb\r"))
    )
    assert revision(replace(EVENT, attendees=(BOB, ANNA))) == revision(EVENT)


def test_white_space_in_a_body_is_a_change() -> None:
    assert revision(replace(EVENT, body="<p>Agenda</p> ")) != revision(EVENT)


def test_an_answer_of_an_attendee_is_a_change_since_our_record_shows_it() -> None:
    accepted = replace(EVENT, attendees=(ANNA, replace(BOB, response="accepted")))
    assert revision(accepted) != revision(EVENT)


def test_modifications_count_with_their_keys_and_times_in_any_order() -> None:
    first = ("s:a", NOON, NOON + timedelta(minutes=10))
    second = ("s:b", NOON, NOON + timedelta(minutes=20))
    later = ("s:b", NOON, NOON + timedelta(minutes=25))
    assert revision(EVENT, [first]) != revision(EVENT)
    assert revision(EVENT, [first, second]) == revision(EVENT, [second, first])
    assert revision(EVENT, [first, second]) != revision(EVENT, [first, later])


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "AAMk2", "ical_uid": "other", "change_key": "ck2"},
        {"location": "Room 5"},
        {"show_as": "tentative"},
        {"attendees": ()},
        {"organizer": Participant("A. Jansen", "ANNA@contoso.example")},
        {"body": "<p>Agenda</p>", "categories": ("acme - Billable",)},
    ],
)
def test_same_subject_times_body_organizer_and_categories_are_duplicates(changes: dict[str, Any]) -> None:
    assert duplicate_hash(replace(EVENT, **changes)) == duplicate_hash(EVENT)


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "design review"},
        {"start": NOON - timedelta(seconds=1)},
        {"end": NOON + timedelta(hours=2)},
        {"body": "<p>Agenda.</p>"},
        {"organizer": BOB},
        {"organizer": None},
        {"categories": ()},
        {"categories": ("Acme - billable", "Online")},
        {"is_all_day": True},
        {"is_cancelled": True},
        {"is_declined": True},
        {"show_as": "free"},
    ],
)
def test_what_differs_in_these_is_an_overlap_and_no_duplicate(changes: dict[str, Any]) -> None:
    assert duplicate_hash(replace(EVENT, **changes)) != duplicate_hash(EVENT)


def test_texts_do_not_run_into_each_other() -> None:
    assert duplicate_hash(make_event(subject="a", body="b|c")) != duplicate_hash(
        make_event(subject="a|b", body="c")
    )

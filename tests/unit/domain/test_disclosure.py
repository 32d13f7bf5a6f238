"""Another person's private event is one uniform line (domain.md 6.3)."""

from copy import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.events.revision import duplicate_hash, revision
from shared.domain.events.source_event import EventType, Participant, SourceEvent
from shared.domain.identity.disclosure import (
    is_disclosed,
    masked_event,
    plan_for_others,
    report_for_others,
    report_for_owner,
    uniform_line,
)

NINE, TEN = datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 2, 10, tzinfo=UTC)
PRIVATES = st.sampled_from(["personal", "private", "confidential"])
#: What finds the event again, and its times.
KEPT = {"id", "type", "ical_uid", "change_key", "start", "end", "is_all_day", "series_master_id"}
KEPT |= {"original_start"}


def private_event(subject: str, sensitivity: str, **more: Any) -> SourceEvent:
    values: dict[str, Any] = {
        "body": f"<p>{subject}</p>",
        "location": subject,
        "categories": (subject,),
        "show_as": "free",
        "importance": "high",
        "organizer": Participant(subject, "a@example.com"),
        "attendees": (Participant(subject, "b@example.com"),),
        "has_attachments": True,
        "is_cancelled": True,
    }
    return SourceEvent(
        id="AAMk",
        type=EventType.SINGLE_INSTANCE,
        ical_uid="uid",
        change_key="ck",
        subject=subject,
        body_type="html",
        start=NINE,
        end=TEN,
        start_zone="W. Europe Standard Time",
        end_zone="W. Europe Standard Time",
        is_all_day=False,
        sensitivity=sensitivity,
        **(values | more),
    )


@given(st.text(), st.text(), PRIVATES, PRIVATES)
def test_a_masked_event_says_nothing_but_its_times(one: str, two: str, first: str, second: str) -> None:
    masks = [masked_event(private_event(one, first)), masked_event(private_event(two, second, show_as="oof"))]
    assert masks[0] == masks[1]
    assert revision(masks[0]) == revision(masks[1])
    plain = private_event("Surgeon", "private")
    told = msgspec.structs.asdict(masks[0])
    assert "Surgeon" not in str(masked_event(plain))
    assert told["subject"] == "Private"
    changed = {name for name in told if getattr(plain, name) != told[name]}
    assert changed.isdisjoint(KEPT - {"ical_uid"})


def test_two_masked_events_of_one_time_are_not_duplicates() -> None:
    one, other = private_event("Surgeon", "private"), private_event("Surgeon", "private")
    assert duplicate_hash(masked_event(one)) == duplicate_hash(masked_event(other))
    assert duplicate_hash(masked_event(one)) != duplicate_hash(masked_event(replace(other, id="AAMk2")))


def test_a_normal_event_is_read_as_it_is() -> None:
    event = private_event("Meeting", "normal")
    assert masked_event(event) is event


def test_only_the_person_whose_event_it_is_sees_more_than_the_times() -> None:
    person = uuid4()
    for sensitivity in ("personal", "private", "confidential", None):
        assert is_disclosed(sensitivity, origin=person, viewer=person)
        assert not is_disclosed(sensitivity, origin=person, viewer=uuid4())
        assert not is_disclosed(sensitivity, origin=person, viewer=None)
        assert not is_disclosed(sensitivity, origin=None, viewer=None)
    assert is_disclosed("normal", origin=person, viewer=None)


def test_the_line_depends_on_the_times_alone() -> None:
    times = ("start", "end")
    one, other = (uniform_line(start, TEN, is_all_day=False) for start in (NINE, TEN))
    assert {name for name in one if one[name] != other[name]} == {"start"}
    assert {name for name in one if name in times} == set(times)


OUTCOMES = ("archived", "updated", "unchanged", "merged", "consumed", "left_out", "flagged", "failed")


@given(st.dictionaries(st.sampled_from(OUTCOMES), st.integers(0, 9)), st.permutations(OUTCOMES))
def test_a_report_is_the_same_whatever_became_of_private_events(
    normal: dict[str, int], order: list[str]
) -> None:
    def report(*private: str) -> dict[str, Any]:
        outcomes = dict.fromkeys(private, 1)
        counts = {each: normal.get(each, 0) + outcomes.get(each, 0) for each in OUTCOMES}
        beside = {"overlaps_resolved": len(private[0]), "category_issues": len(private[1])}
        source = sum(counts.values())
        return counts | beside | {"source": source, "private_outcomes": outcomes}

    one, other = report(*order[:3]), report(*order[3:6])
    assert report_for_others(one) == report_for_others(other)
    shown = report_for_others(one)
    assert sum(shown[each] for each in (*OUTCOMES, "private")) == shown["source"]
    assert report_for_owner(one)["archived"] == one["archived"]
    assert "private_outcomes" not in report_for_owner(one)


def test_a_plan_is_masked_too() -> None:
    plan = {"source": 3, "planned": 2, "left_out": 1, "category_issues": 1, "private": {"planned": 1}}
    assert plan_for_others(plan) == {"source": 3, "planned": 1, "left_out": 1, "private": 1}

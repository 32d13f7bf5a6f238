"""What is missing and what is doubled is told from the calendars alone (domain.md 2.3, 2.6, 2.9, 2.19)."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from infra.local.archive_copies import copy_of as told
from infra.local.readback import Calendars, Comparison, Window, compare, missing_events
from infra.local.told_reasons import Reason

type Json = dict[str, Any]

CONFIGURATION = "5c0a2f53-0000-4000-8000-000000000001"
GENERAL: Json = {"id": CONFIGURATION, "purpose": "general", "overlap_policy": "keep_all"}
TIMESHEET: Json = GENERAL | {"purpose": "timesheet", "overlap_policy": "auto"}
VIENNA = ZoneInfo("Europe/Vienna")
OCTOBER = Window(datetime(2026, 9, 30, 22, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC), VIENNA)
FIFTH = "2026-10-05T07:00:00"


def test_a_complete_archive_lacks_nothing_and_doubles_nothing() -> None:
    source = [single("a"), occurrence("m", "2026-10-05T07:00:00Z"), single("b", subject="Other")]
    found = compared(source, [copy_of(event) for event in source])
    assert (len(found.events), found.uncovered, found.doubled, found.unknown) == (3, (), (), 0)


def test_each_lost_copy_is_missing_by_name_whatever_else_has_none() -> None:
    events = [single(key, subject=key, start=f"2026-10-0{day}T07:00:00.0000000") for day, key in DAYS]
    consumed = single("x", subject="Extended")
    reasons = {"s:x": Reason("consume")}
    found = missing([*events, consumed], [copy_of(events[0])], reasons)
    assert found == [("b", "2026-10-02T07:00:00"), ("c", "2026-10-03T07:00:00")]


def test_one_reason_excuses_one_event_only() -> None:
    twice = [single("a", subject="Call"), single("b", subject="Extended"), single("c", subject="Other")]
    assert missing(twice, [], {"s:b": Reason("consume")}) == [("Call", FIFTH), ("Other", FIFTH)]


def test_a_lost_occurrence_is_found_by_its_original_start_even_when_it_was_moved() -> None:
    moved = occurrence("m", "2026-10-05T07:00:00Z", start="2026-10-06T12:00:00.0000000")
    kept = occurrence("m", "2026-10-12T07:00:00Z", start="2026-10-12T07:00:00.0000000")
    assert missing([moved, kept], [copy_of(kept)]) == [("m", "2026-10-06T12:00:00")]


def test_an_event_is_covered_by_the_copy_that_names_its_id_whatever_key_it_carries() -> None:
    event = occurrence("m", "2026-10-05T07:00:00Z")
    by_date = hashlib.sha256(f"{CONFIGURATION}|o:m:2026-10-05".encode()).hexdigest()
    for key in ("0" * 64, by_date):
        assert compared([event], [copy_of(event, archive_key=key)]).uncovered == ()
    foreign_id = copy_of(event | {"id": "former"}, archive_key=by_date)
    assert compared([event], [foreign_id]).uncovered == ()


def test_a_copy_that_still_names_the_former_id_is_known_by_its_series_and_date() -> None:
    former = occurrence("m", "2026-10-05T07:00:00Z") | {"iCalUId": "series"}
    now = occurrence("n", "2026-10-05T08:00:00Z") | {"iCalUId": "series"}
    assert compared([now], [copy_of(former)]).uncovered == ()
    other_day = occurrence("n", "2026-10-06T08:00:00Z") | {"iCalUId": "series"}
    assert compared([other_day], [copy_of(former)]).uncovered == (other_day,)


def test_two_copies_of_one_source_are_doubled_and_named() -> None:
    source = [single("a")]
    (found,) = compared(source, [copy_of(source[0]), copy_of(source[0])]).doubled
    assert (found.subject, found.start, found.copies) == ("Meeting", FIFTH, 2)


def test_two_copies_of_one_source_are_doubled_with_any_writer_and_any_number() -> None:
    event = single("a")
    other = copy_of(event, configuration="another")
    (found,) = compared([event], [copy_of(event), other, other]).doubled
    assert found.copies == 3
    # The same event by another key, as a former version or another database writes it.
    strange = copy_of(event, archive_key="0" * 64)
    assert len(compared([event], [copy_of(event), strange]).doubled) == 1


def test_copies_of_two_dates_of_one_source_id_are_no_doubles() -> None:
    then, now = single("a"), single("a", start="2026-10-12T07:00:00.0000000")
    assert compared([now], [copy_of(then, archive_key="0" * 64), copy_of(now)]).doubled == ()


def test_a_superseded_copy_doubles_nothing() -> None:
    event = single("a")
    former = copy_of(event, archive_key="0" * 64, superseded=True)
    assert compared([event], [former, copy_of(event)]).doubled == ()


def test_a_doubled_copy_is_found_even_when_its_source_is_gone() -> None:
    gone = single("gone")
    assert len(compared([], [copy_of(gone), copy_of(gone)]).doubled) == 1


def test_an_event_by_hand_is_doubled_beside_its_like_and_unknown_alone() -> None:
    event = single("a")
    by_hand = event | {"id": "by hand", "singleValueExtendedProperties": []}
    assert len(compared([event], [copy_of(event), by_hand]).doubled) == 1
    alone = compared([event], [copy_of(event), by_hand | {"subject": "Dentist"}])
    assert (alone.doubled, alone.unknown) == ((), 1)


def test_exact_duplicates_need_one_copy_among_them() -> None:
    twins = [single("a"), single("b")]
    merged = {"s:b": Reason("merge")}
    assert missing(twins, [copy_of(twins[1])], merged) == []
    assert missing(twins, [], merged) == [("Meeting", FIFTH)]
    assert missing(twins, [], merged | {"s:a": Reason("merge")}) == [("Meeting", FIFTH)]


def test_what_differs_is_no_duplicate_whatever_the_plan_says() -> None:
    merged = {"s:b": Reason("merge")}
    others: tuple[Json, ...] = (
        single("b", body="Other"),
        single("b") | {"categories": ["Acme - billable"]},
        single("b") | {"organizer": {"emailAddress": {"address": "x@example.com"}}},
        single("b") | {"isCancelled": True},
    )
    for other in others:
        event = single("a")
        assert missing([event, other], [copy_of(event)], merged) == [("Meeting", FIFTH)]


def test_an_all_day_event_belongs_to_its_local_date_and_a_timed_one_to_its_start() -> None:
    first = single("first", start="2026-10-01T00:00:00.0000000", all_day=True)
    after = single("after", start="2026-11-01T00:00:00.0000000", all_day=True)
    early = single("early", start="2026-09-30T22:00:00.0000000")
    before = single("before", start="2026-09-30T21:59:00.0000000")
    late = single("late", start="2026-10-31T23:00:00.0000000")
    found = compared([first, after, early, before, late], [])
    assert {event["id"] for event in found.events} == {"first", "early"}


def test_only_a_modification_can_be_consumed() -> None:
    plain, extension = single("a"), single("b", subject="Extension")
    consumed = {"s:a": Reason("consume"), "s:b": Reason("consume")}
    assert missing([plain, extension], [], consumed) == [("Meeting", FIFTH)]
    assert len(missing([plain, extension], [], {})) == 2


def test_a_timesheet_leaves_out_all_but_billable_time_beside_nothing() -> None:
    billable = single("a") | {"categories": ["Acme \u2013 billable"]}
    idle = single("b", start="2026-10-06T07:00:00.0000000")
    idle |= {"categories": ["Acme - billable"], "showAs": "free"}
    invalid = single("c", start="2026-10-07T07:00:00.0000000") | {"categories": [" - billable"]}
    personal = single("d", start="2026-10-08T07:00:00.0000000")
    events = [billable, idle, invalid, personal]
    left_out = {f"s:{event['id']}": Reason("leave_out") for event in events}
    assert missing(events, [], left_out, TIMESHEET) == [("Meeting", FIFTH)]
    assert len(missing(events, [], left_out)) == 4


def test_what_overlaps_may_wait_for_its_owner_or_be_left_out() -> None:
    overlapping = [single("a"), single("b", subject="Other")]
    for kind in ("flag", "leave_out"):
        assert missing(overlapping, [], {"s:a": Reason(kind), "s:b": Reason(kind)}) == []
        assert len(missing(overlapping[:1], [], {"s:a": Reason(kind)})) == 1
    assert missing(overlapping, [], {"s:a": Reason("flag")}) == [("Other", FIFTH)]
    beside = [single("a"), single("b", subject="Extended", start="2026-10-05T07:30:00.0000000")]
    assert missing(beside, [], {"s:a": Reason("flag"), "s:b": Reason("consume")}) == []


def test_what_may_be_the_meeting_of_a_copy_waits_for_its_owner() -> None:
    gone = copy_of(single("gone", start="2026-10-05T15:00:00.0000000"))
    assert missing([single("a")], [gone], {"s:a": Reason("flag")}) == []
    other_day = copy_of(single("gone", start="2026-10-06T15:00:00.0000000"))
    assert len(missing([single("a")], [other_day], {"s:a": Reason("flag")})) == 1


def test_a_write_that_was_refused_is_told_apart_from_a_lost_copy() -> None:
    events = [single("a", subject="A"), single("b", subject="B"), single("c", subject="C")]
    reasons = {"s:a": Reason("failed"), "s:b": Reason("locked"), "s:c": Reason("create")}
    assert missing(events, [], reasons) == [("C", FIFTH)]


DAYS = ((1, "a"), (2, "b"), (3, "c"))


def compared(source: list[Json], copies: list[Json], configuration: Json = GENERAL) -> Comparison:
    calendars = Calendars(source, copies, [told(copy) for copy in copies])
    return compare(configuration, calendars, [OCTOBER], OCTOBER)


def missing(
    source: list[Json],
    copies: list[Json],
    reasons: Mapping[str, Reason] | None = None,
    configuration: Json = GENERAL,
) -> list[tuple[str, str]]:
    """Subject and start of what is missing."""
    comparison = compared(source, copies, configuration)
    found = missing_events(comparison, reasons or {}, configuration, VIENNA)
    return [(event.subject, event.start) for event in found]


def single(
    key: str,
    *,
    subject: str = "Meeting",
    body: str = "Agenda",
    start: str = "2026-10-05T07:00:00.0000000",
    all_day: bool = False,
) -> Json:
    """A source event as the simulator's read-back gives it."""
    return {
        "id": key,
        "subject": subject,
        "isAllDay": all_day,
        "body": {"contentType": "text", "content": body},
        "start": {"dateTime": start, "timeZone": "UTC"},
        "end": {"dateTime": start.replace(":00:", ":30:", 1), "timeZone": "UTC"},
        "seriesMasterId": None,
    }


def occurrence(master: str, original: str, start: str | None = None) -> Json:
    """An occurrence of a series."""
    start = start or original.replace("Z", ".0000000")
    return single(f"{master}/{original}", subject=master, start=start) | {
        "seriesMasterId": master,
        "originalStart": original,
    }


def copy_of(
    event: Json,
    *,
    configuration: str = CONFIGURATION,
    archive_key: str | None = None,
    superseded: bool = False,
) -> Json:
    """The copy that archiving makes of it."""
    key = f"s:{event['id']}"
    if event["seriesMasterId"]:
        key = f"o:{event['seriesMasterId']}:{event['originalStart']}"
    named = archive_key or hashlib.sha256(f"{configuration}|{key}".encode()).hexdigest()
    source = {
        "configuration": configuration,
        "source": event["id"],
        "iCalUId": event.get("iCalUId") or f"uid of {event['id']}",
        "superseded": superseded,
        "originalStart": event.get("originalStart") or event["start"]["dateTime"][:19] + "Z",
    }
    guid = "{6f1d2c52-3a0e-4b7b-9a55-0d6c1f2e8b41}"
    return event | {
        "id": f"copy of {event['id']}",
        "seriesMasterId": None,
        "singleValueExtendedProperties": [
            {"id": f"String {guid} Name ArchiveKey", "value": named},
            {"id": f"String {guid} Name ArchiveSource", "value": json.dumps(source)},
        ],
    }

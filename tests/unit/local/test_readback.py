"""What is missing and what is doubled is told from the calendars alone (domain.md 2.3, 2.6, 2.9)."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from infra.local.readback import Comparison, Window, compare_events

type Json = dict[str, Any]

CONFIGURATION = "5c0a2f53-0000-4000-8000-000000000001"
GENERAL: Json = {"id": CONFIGURATION, "purpose": "general", "overlap_policy": "keep_all"}
TIMESHEET: Json = GENERAL | {"purpose": "timesheet", "overlap_policy": "auto"}
VIENNA = ZoneInfo("Europe/Vienna")
OCTOBER = Window(datetime(2026, 9, 30, 22, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC), VIENNA)


def test_a_complete_archive_lacks_nothing_and_doubles_nothing() -> None:
    source = [single("a"), occurrence("m", "2026-10-05T07:00:00Z"), single("b", subject="Other")]
    found = compared(source, [copy_of(event) for event in source])
    assert (found.source, found.uncovered, found.doubled) == (3, frozenset(), frozenset())


def test_an_event_without_a_copy_is_found() -> None:
    source = [single("a"), single("b", subject="Other")]
    assert compared(source, [copy_of(source[0])]).uncovered == {"s:b"}


def test_a_lost_occurrence_is_found_by_its_original_start_even_when_it_was_moved() -> None:
    moved = occurrence("m", "2026-10-05T07:00:00Z", start="2026-10-06T12:00:00.0000000")
    kept = occurrence("m", "2026-10-12T07:00:00Z", start="2026-10-12T07:00:00.0000000")
    assert compared([moved, kept], [copy_of(kept)]).uncovered == {"o:m:2026-10-05T07:00:00Z"}


def test_two_copies_of_one_source_are_found() -> None:
    source = [single("a")]
    assert len(compared(source, [copy_of(source[0]), copy_of(source[0])]).doubled) == 1


def test_two_copies_under_different_keys_are_found_by_the_source_they_name() -> None:
    source = [single("a")]
    strange = copy_of(source[0], archive_key="0" * 64)
    assert len(compared(source, [copy_of(source[0]), strange]).doubled) == 1


def test_a_doubled_copy_is_found_even_when_its_source_is_gone() -> None:
    gone = single("gone")
    assert len(compared([], [copy_of(gone), copy_of(gone)]).doubled) == 1


def test_copies_of_another_configuration_are_no_doubles() -> None:
    source = [single("a")]
    other = copy_of(source[0], configuration="another")
    assert compared(source, [copy_of(source[0]), other]).doubled == frozenset()


def test_exact_duplicates_need_one_copy_among_them() -> None:
    twins = [single("a"), single("b")]
    assert compared(twins, [copy_of(twins[1])]).uncovered == frozenset()
    assert compared(twins, []).uncovered == {"s:a"}


def test_another_body_makes_no_duplicate() -> None:
    twins = [single("a"), single("b", body="Other")]
    assert compared(twins, [copy_of(twins[0])]).uncovered == {"s:b"}


def test_an_all_day_event_belongs_to_its_local_date_and_a_timed_one_to_its_start() -> None:
    first = single("first", start="2026-10-01T00:00:00.0000000", all_day=True)
    after = single("after", start="2026-11-01T00:00:00.0000000", all_day=True)
    early = single("early", start="2026-09-30T22:00:00.0000000")
    before = single("before", start="2026-09-30T21:59:00.0000000")
    late = single("late", start="2026-10-31T23:00:00.0000000")
    found = compared([first, after, early, before, late], [])
    assert {event["id"] for event in found.events} == {"first", "early"}


def test_what_no_rule_leaves_without_a_copy_is_unexplained() -> None:
    plain, extension = single("a"), single("b", subject="Extension")
    found = compared([plain, extension], [])
    assert found.uncovered == {"s:a", "s:b"}
    assert found.unexplained == {"s:a"}


def test_a_timesheet_explains_all_but_billable_time_beside_nothing() -> None:
    billable = single("a") | {"categories": ["Acme \u2013 billable"]}
    idle = single("b", start="2026-10-06T07:00:00.0000000")
    idle |= {"categories": ["Acme - billable"], "showAs": "free"}
    invalid = single("c", start="2026-10-07T07:00:00.0000000") | {"categories": [" - billable"]}
    personal = single("d", start="2026-10-08T07:00:00.0000000")
    found = compared([billable, idle, invalid], [], TIMESHEET)
    assert found.uncovered == {"s:a", "s:b", "s:c"}
    assert found.unexplained == {"s:a"}
    assert compared([personal], [], TIMESHEET).unexplained == frozenset()


def test_an_overlap_explains_what_waits_for_its_owner() -> None:
    overlapping = [single("a"), single("b", subject="Other")]
    assert compared(overlapping, [], GENERAL | {"overlap_policy": "flag"}).unexplained == frozenset()
    assert compared(overlapping, []).unexplained == {"s:a", "s:b"}
    beside = [single("a"), single("b", subject="Extended", start="2026-10-05T07:30:00.0000000")]
    assert compared(beside, [], GENERAL | {"overlap_policy": "flag"}).unexplained == frozenset()


def compared(source: list[Json], copies: list[Json], configuration: Json = GENERAL) -> Comparison:
    return compare_events(configuration, source, copies, [OCTOBER], OCTOBER)


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


def copy_of(event: Json, *, configuration: str = CONFIGURATION, archive_key: str | None = None) -> Json:
    """The copy that archiving makes of it."""
    key = f"s:{event['id']}"
    if event["seriesMasterId"]:
        key = f"o:{event['seriesMasterId']}:{event['originalStart']}"
    named = archive_key or hashlib.sha256(f"{configuration}|{key}".encode()).hexdigest()
    told = {
        "configuration": configuration,
        "source": event["id"],
        "iCalUId": "uid",
        "originalStart": event.get("originalStart") or event["start"]["dateTime"][:19] + "Z",
    }
    guid = "{6f1d2c52-3a0e-4b7b-9a55-0d6c1f2e8b41}"
    return event | {
        "id": f"copy of {event['id']}",
        "seriesMasterId": None,
        "singleValueExtendedProperties": [
            {"id": f"String {guid} Name ArchiveKey", "value": named},
            {"id": f"String {guid} Name ArchiveSource", "value": json.dumps(told)},
        ],
    }

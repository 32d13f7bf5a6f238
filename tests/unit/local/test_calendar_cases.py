"""Calendars as programs export them, each with its right value: instants, versions, owners, reports."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.calendar_import import Loaded, load_calendar

CASES = Path(__file__).parent / "calendars"


def case(name: str, **query: str) -> Loaded:
    """A file of the folder beside this one, loaded."""
    return load_calendar((CASES / name).read_bytes(), **query)


def calendar(*lines: str) -> str:
    """A VCALENDAR of lines, with CRLF."""
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *lines, "END:VCALENDAR", ""])


def event(uid: str, *lines: str) -> str:
    """A VEVENT whose subject is its UID."""
    return "\r\n".join(["BEGIN:VEVENT", f"UID:{uid}", f"SUMMARY:{uid}", *lines, "END:VEVENT"])


def entries(**counts: int) -> dict[str, int]:
    """The report about a file's VEVENTs. Missing numbers are 0."""
    names = ("loaded", "outside_range", "unrepresentable", "older_version", "left_to_another")
    told = {name: counts.get(name, 0) for name in names}
    return {"total": sum(told.values()), **told}


# Zones


def test_windows_zones_are_read_and_the_calendar_has_an_iana_zone() -> None:
    found = case("windows-zones.ics")
    assert found.report["zone"] == "Europe/Berlin"
    assert found.spans() == ["2026-03-02T08:00 09:30", "2026-03-03T14:00 15:00"]


def test_a_windows_name_in_x_wr_timezone_is_the_zone_of_the_calendar() -> None:
    found = case("windows-x-wr.ics")
    assert found.report["zone"] == "Europe/Berlin"
    assert found.spans() == ["2026-03-02T08:00 09:00"]


def test_names_that_nothing_defines_are_mapped_where_they_say_their_zone() -> None:
    found = case("display-names-undefined.ics")
    assert found.spans() == ["2026-07-06T13:00 14:00", "2026-07-07T07:00 08:00", "2026-07-08T08:00 09:00"]
    assert found.report["assumed_zones"] == []
    assert found.report["zone"] == "Europe/Berlin"


def test_a_zone_that_nobody_knows_is_listed_with_the_one_assumed() -> None:
    found = load_calendar(
        calendar(
            "X-WR-TIMEZONE:Europe/Rome",
            event("a", "DTSTART;TZID=Mars/Base:20260706T090000", "DURATION:PT1H"),
            event("b", "DTSTART;TZID=UTC+05:30:20260707T090000", "DURATION:PT1H"),
        )
    )
    assert found.starts() == ["2026-07-06T07:00", "2026-07-07T03:30"]
    assert found.report["assumed_zones"] == [{"name": "Mars/Base", "read_as": "Europe/Rome", "times": 1}]


def test_a_definition_in_the_file_wins_over_the_zone_of_its_name() -> None:
    def observance(kind: str, begin: str, before: str, after: str) -> str:
        lines = (f"BEGIN:{kind}", f"DTSTART:{begin}", f"TZOFFSETFROM:{before}", f"TZOFFSETTO:{after}")
        return "\r\n".join([*lines, f"END:{kind}"])

    fixed = observance("STANDARD", "19700101T000000", "+0500", "+0500")
    found = load_calendar(
        calendar(
            f"BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\n{fixed}\r\nEND:VTIMEZONE",
            event("a", "DTSTART;TZID=Europe/Berlin:20260706T090000", "DURATION:PT1H"),
        )
    )
    assert found.starts() == ["2026-07-06T04:00"]
    assert "the file's is used" in found.report["remarks"][0]


# Series


def test_series_that_began_long_ago_have_all_their_occurrences_of_the_range() -> None:
    found = case("old-daily.ics", from_="2026-01-01", to="2027-01-01")
    assert found.report["events"] == 365 + 261 + 1
    assert found.report["entries"] == entries(loaded=3)


@pytest.mark.parametrize(
    "rule",
    ["FREQ=SECONDLY", "FREQ=MINUTELY", "FREQ=SECONDLY;COUNT=99999999", "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30"],
)
def test_a_rule_that_recurs_too_often_or_never_takes_bounded_time(rule: str) -> None:
    found = load_calendar(
        calendar(event("a", "DTSTART:19700101T000000Z", "DURATION:PT1S", f"RRULE:{rule}")),
        from_="2026-01-01",
        to="2027-01-01",
    )
    if "BYMONTHDAY" in rule:
        assert found.report["entries"] == entries(outside_range=1)
    else:
        assert found.report["entries"] == entries(unrepresentable=1)
        (told,) = found.report["unrepresentable"]
        assert (told["line"], "too often" in told["reason"] or "more than" in told["reason"]) == (3, True)


def test_a_change_of_this_and_all_that_follows_moves_the_rest() -> None:
    found = case("thisandfuture.ics")
    assert found.spans("Review") == ["2026-03-02T08:00 09:00", "2026-03-09T08:00 09:00"]
    # 14:00 to 16:00 in Berlin, across the clock change of 29 March.
    assert found.spans("Review (moved for good)") == [
        "2026-03-16T13:00 15:00",
        "2026-03-23T13:00 15:00",
        "2026-03-30T12:00 14:00",
        "2026-04-06T12:00 14:00",
    ]


def test_only_dates_that_exist_recur_and_one_in_the_gap_keeps_its_length() -> None:
    found = case("missing-days.ics")
    assert found.starts("Leap birthday") == []
    assert [start[:10] for start in found.starts("On the 31st")] == [
        "2025-12-31",
        "2026-01-31",
        "2026-03-31",
        "2026-05-31",
        "2026-07-31",
        "2026-08-31",
    ]
    assert [start[5:10] for start in found.starts("Last workday")] == [
        "01-30",
        "02-27",
        "03-31",
        "04-30",
        "05-29",
    ]
    assert [start[5:10] for start in found.starts("Last day")] == ["01-31", "02-28", "03-31", "04-30"]
    # RFC 5545 3.3.5: a time in the gap has the offset before it.
    assert found.spans("In the gap") == [
        "2026-03-22T01:30 02:30",
        "2026-03-29T01:30 02:30",
        "2026-04-05T00:30 01:30",
    ]
    assert found.report["outside_range"]["before"] == {
        "count": 1,
        "first": "2020-02-29",
        "last": "2020-02-29",
    }


def test_extra_dates_may_be_periods_with_a_length_or_an_end_of_their_own() -> None:
    found = case("rdate-period.ics")
    assert found.spans("Course")[1:3] == ["2026-03-25T08:00 09:00", "2026-03-25T12:00 15:00"]
    assert len(found.spans("Course")) == 6
    assert found.spans("Meetup") == [
        "2026-04-02T14:00 15:00",
        "2026-04-09T14:00 16:00",
        "2026-04-16T14:00 15:30",
    ]
    assert len(found.spans("Groupwise style")) == 3


def test_an_extra_date_that_the_rule_gives_too_counts_once() -> None:
    lines = ("DTSTART:20260302T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3")
    found = load_calendar(calendar(event("a", *lines, "RDATE:20260303T090000Z,20260302T090000Z")))
    assert found.starts() == ["2026-03-02T09:00", "2026-03-03T09:00", "2026-03-04T09:00"]


def test_a_changed_occurrence_with_a_rule_and_no_master_is_a_series_of_its_own_and_that_is_told() -> None:
    found = load_calendar(
        calendar(
            event(
                "a",
                "RECURRENCE-ID:20260302T090000Z",
                "DTSTART:20260302T090000Z",
                "DURATION:PT1H",
                "RRULE:FREQ=DAILY;COUNT=3",
            )
        )
    )
    assert found.starts() == ["2026-03-02T09:00", "2026-03-03T09:00", "2026-03-04T09:00"]
    assert "lacks the series" in found.report["notes"][0]["reason"]


def test_an_exact_length_lasts_over_a_clock_change_and_a_duration_in_days_follows_the_clock() -> None:
    lines = ("DTSTART;TZID=Europe/Berlin:20260321T220000", "RRULE:FREQ=WEEKLY;COUNT=2")
    exact = event("exact", *lines, "DTEND;TZID=Europe/Berlin:20260322T220000")
    nominal = event("nominal", *lines, "DURATION:P1D")
    found = load_calendar(calendar(exact, nominal))
    assert found.spans("exact") == ["2026-03-21T21:00 21:00", "2026-03-28T21:00 21:00"]
    assert found.spans("nominal") == ["2026-03-21T21:00 21:00", "2026-03-28T21:00 20:00"]


# Versions


def test_the_highest_sequence_counts_and_the_older_versions_are_listed() -> None:
    found = case("versions.ics")
    assert found.report["events"] == 6
    assert found.starts("Budget") == ["2026-03-02T13:00"]
    assert found.starts("Sprint at 15") == ["2026-03-04T15:00"]
    (board,) = [shown for _, _, shown in found.occurrences if shown["subject"] == "Board"]
    assert board["isCancelled"] is True
    assert found.report["entries"] == entries(loaded=5, older_version=3, left_to_another=1)
    assert {told["summary"] for told in found.report["older_versions"]} == {"Budget", "Sprint at 11", "Board"}


def test_different_events_that_share_a_uid_at_one_sequence_both_stay() -> None:
    one = event("same", "DTSTART:20260302T090000Z", "DURATION:PT1H")
    other = event("same", "DTSTART:20260303T140000Z", "DURATION:PT1H")
    found = load_calendar(calendar(one, other, one))
    assert found.starts() == ["2026-03-02T09:00", "2026-03-03T14:00"]
    assert found.report["entries"] == entries(loaded=2, left_to_another=1)


def test_a_change_of_an_occurrence_that_its_series_excludes_is_not_loaded_and_that_is_told() -> None:
    lines = ("DTSTART:20260302T090000Z", "DURATION:PT1H")
    series = event("a", *lines, "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260303T090000Z")
    change = event("a", "RECURRENCE-ID:20260303T090000Z", "DTSTART:20260303T150000Z", "DURATION:PT1H")
    found = load_calendar(calendar(series, change))
    assert found.starts() == ["2026-03-02T09:00", "2026-03-04T09:00"]
    assert found.report["entries"] == entries(loaded=1, unrepresentable=1)


# Whose file it is


def test_what_its_owner_declined_is_declined_and_what_another_declined_is_not() -> None:
    found = case("declined.ics")
    responses = {shown["subject"]: shown["responseStatus"]["response"] for _, _, shown in found.occurrences}
    assert responses["Declined by me"] == "declined"
    assert responses["Accepted by me declined by another"] == "accepted"
    assert found.report["owner"] == {"address": "kim.owner@firm.example", "said_by": "X-WR-CALNAME"}


def test_the_owner_may_be_said_and_a_file_that_does_not_say_it_asks_for_it() -> None:
    raw = (CASES / "declined.ics").read_bytes().replace(b"X-WR-CALNAME:kim.owner@firm.example\r\n", b"")
    silent, said = load_calendar(raw), load_calendar(raw, owner="noah@client.example")
    assert "--owner ADDRESS" in silent.report["remarks"][0]
    assert silent.report["owner"]["address"] is None
    declined = [
        shown["subject"]
        for _, _, shown in said.occurrences
        if shown["responseStatus"]["response"] == "declined"
    ]
    assert declined == ["Accepted by me declined by another"]


def test_an_invitation_to_one_person_is_theirs_and_a_cancellation_cancels() -> None:
    invited = event(
        "a",
        "DTSTART:20260302T090000Z",
        "DURATION:PT1H",
        "ORGANIZER:mailto:olga@client.example",
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:kim@firm.example",
    )
    found = load_calendar(calendar("METHOD:REQUEST", invited))
    assert found.report["owner"] == {"address": "kim@firm.example", "said_by": "METHOD"}
    cancelled = load_calendar(calendar("METHOD:CANCEL", invited))
    assert [shown["isCancelled"] for _, _, shown in cancelled.occurrences] == [True]


# Bytes and values


def test_a_line_folded_inside_a_character_is_read() -> None:
    found = case("fold-in-character.ics")
    ((_, _, shown),) = found.occurrences
    assert shown["subject"] == "Geschäft"
    assert "é und 🏼 Ende" in shown["body"]["content"]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le", "utf-8-sig"])
def test_files_in_other_encodings_are_read_where_they_show_it(encoding: str) -> None:
    text = calendar(event("Prüfung", "DTSTART:20260302T090000Z", "DURATION:PT1H"))
    ((_, _, shown),) = load_calendar(text.encode(encoding)).occurrences
    assert shown["subject"] == "Prüfung"


def test_lines_that_are_none_belong_to_the_text_before_them_and_spoil_nothing_else() -> None:
    lines = ("DTSTART:20260302T090000Z", "no property", "DESCRIPTION:one", "two", "", "DURATION:PT1H")
    ((start, end, shown),) = load_calendar(calendar(event("a", *lines))).occurrences
    assert (f"{start:%H:%M}", f"{end:%H:%M}") == ("09:00", "10:00")
    assert "one" in shown["body"]["content"]
    assert "two" in shown["body"]["content"]


def test_outlooks_html_is_without_escapes() -> None:
    ((_, _, shown),) = case("alt-desc.ics").occurrences
    assert shown["body"]["contentType"] == "html"
    assert 'font-family:"Arial",sans-serif;color:red\'>' in shown["body"]["content"]
    assert "Line two, with comma &amp; more" in shown["body"]["content"]


def test_value_date_wins_over_a_time_in_the_value() -> None:
    start, end = "DTSTART;VALUE=DATE:20260302T090000", "DTEND;VALUE=DATE:20260304T000000Z"
    ((_, _, shown),) = load_calendar(calendar(event("a", start, end))).occurrences
    assert (shown["isAllDay"], shown["start"]["dateTime"][:10], shown["end"]["dateTime"][:10]) == (
        True,
        "2026-03-02",
        "2026-03-04",
    )


# Range


def test_what_lies_outside_of_the_range_is_counted_with_its_dates() -> None:
    found = case("range.ics", to="2026-12-01")
    assert found.report["outside_range"] == {
        "count": 2,
        "before": {"count": 1, "first": "2020-03-02", "last": "2020-03-02"},
        "after": {"count": 1, "first": "2027-03-02", "last": "2027-03-02"},
    }


def test_the_default_range_ends_with_the_last_local_day() -> None:
    early = event("a", "DTSTART;TZID=Asia/Tokyo:20260302T083000", "DURATION:PT1H")
    found = load_calendar(calendar("X-WR-TIMEZONE:Asia/Tokyo", early))
    assert found.report["range"]["to"] == "2026-03-03"
    assert found.starts() == ["2026-03-01T23:30"]
    assert found.report["events"] == 1


def test_the_reason_why_the_only_event_is_not_loaded_is_told() -> None:
    report: dict[str, Any] = case("only-unrepresentable.ics").report
    (told,) = report["unrepresentable"]
    assert (told["summary"], told["line"]) == ("The only one", 5)
    assert told["reason"] == "its start is a date and its end is a time"

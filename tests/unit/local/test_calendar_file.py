"""A person's own calendar file: what is refused, and what the report says of its hours."""

from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from infra.local.calendar_file import CalendarFile, as_json, as_text, hours_per_week, read_file
from infra.local.errors import LocalError
from infra.local.seeding import Person


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"^no such file: .*absent\.ics$"):
        read_file(tmp_path / "absent.ics")


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xfe\x00"], ids=["empty", "text", "binary"])
def test_what_is_no_calendar_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.ics"
    path.write_bytes(content)
    with pytest.raises(LocalError, match="is not a calendar") as refused:
        read_file(path)
    assert "\n" not in str(refused.value)


def test_a_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="cannot read"):
        read_file(tmp_path)


def test_a_byte_order_mark_is_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "x.ics"
    path.write_bytes(b"\xef\xbb\xbfBEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")
    assert read_file(path).startswith("BEGIN:VCALENDAR")


def test_hours_are_of_local_weeks_and_leave_out_what_is_no_time() -> None:
    events = [
        # Sunday 23:30 UTC is Monday in Vienna.
        event("2026-10-11T23:30", "2026-10-12T01:00"),
        event("2026-10-14T08:00", "2026-10-14T10:00"),
        event("2026-10-14T08:00", "2026-10-14T10:00", showAs="free"),
        event("2026-10-14T08:00", "2026-10-14T10:00", isCancelled=True),
        event("2026-10-14T08:00", "2026-10-14T10:00", responseStatus={"response": "declined"}),
        event("2026-10-15T00:00", "2026-10-16T00:00", isAllDay=True),
        event("2026-10-19T00:00", "2026-10-20T00:00", isAllDay=True),
    ]
    assert hours_per_week(events, "Europe/Vienna") == [
        (date(2026, 10, 12), 6, 3.5),
        (date(2026, 10, 19), 1, 0.0),
    ]


def test_an_hour_across_a_clock_change_is_its_real_length() -> None:
    night = event("2026-10-24T22:30", "2026-10-25T02:30")
    assert hours_per_week([night], "Europe/Vienna") == [(date(2026, 10, 19), 1, 4.0)]


def test_a_long_range_is_archived_in_windows_that_meet_and_that_the_api_accepts() -> None:
    windows = file(date(2024, 1, 1), date(2026, 7, 1)).windows()
    assert windows[0][0] == datetime(2023, 12, 31, 23, tzinfo=UTC)
    assert windows[-1][1] == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert all(earlier[1] == later[0] for earlier, later in pairwise(windows))
    assert all((end - start).days <= 400 for start, end in windows)


def test_the_text_names_weeks_series_and_what_could_not_be_represented() -> None:
    occurrences = [event("2026-10-14T08:00", "2026-10-14T10:00", seriesMasterId="m", subject="Jour fixe")] * 2
    text = as_text(file(date(2026, 10, 1), date(2026, 11, 1)), occurrences)
    assert "2026-10-12" in text
    assert "4.00" in text
    assert "1 series found" in text
    assert "2 × Jour fixe" in text
    assert "Lunch: RDATE cannot be represented" in text


def test_the_json_holds_the_same() -> None:
    told = as_json(
        file(date(2026, 10, 1), date(2026, 11, 1)), [event("2026-10-14T08:00", "2026-10-14T10:00")]
    )
    assert told["weeks"] == [{"monday": "2026-10-12", "events": 1, "hours": 2.0}]
    assert told["unrepresentable"][0]["reason"] == "RDATE cannot be represented"


def event(start: str, end: str, **fields: Any) -> dict[str, Any]:
    times = {
        name: {"dateTime": f"{moment}:00.0000000", "timeZone": "UTC"}
        for name, moment in (("start", start), ("end", end))
    }
    return {"subject": "Work", "isAllDay": False, "showAs": "busy", "isCancelled": False} | times | fields


def file(start: date, end: date) -> CalendarFile:
    entry = {"uid": "1", "summary": "Lunch", "start": "2026-10-01", "reason": "RDATE cannot be represented"}
    loaded = {
        "range": {"from": start.isoformat(), "to": end.isoformat()},
        "series": 1,
        "unrepresentable": [entry],
    }
    person = Person("mine@calendar.example.com", "mine", "Europe/Vienna", start, nightly=False)
    return CalendarFile(Path("mine.ics"), person, start, end, loaded)

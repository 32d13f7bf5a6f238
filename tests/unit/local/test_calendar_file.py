"""A person's own calendar file: what is refused, and what the report says of its hours."""

import os
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from infra.local.calendar_file import CalendarFile, as_json, read_file, read_files, reading_lines
from infra.local.calendar_reading_report import why_empty
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


def test_a_folder_without_a_calendar_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"holds no \.ics and no \.csv file$"):
        read_file(tmp_path)


def test_a_folder_is_the_same_zip_each_time_whatever_the_files_dates(tmp_path: Path) -> None:
    (tmp_path / "b.ics").write_bytes(b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")
    first = read_file(tmp_path)
    os.utime(tmp_path / "b.ics", (1_000_000_000, 1_000_000_000))
    assert read_file(tmp_path) == first


def test_a_file_named_twice_is_read_once_and_that_is_told(tmp_path: Path) -> None:
    path, copy = tmp_path / "x.ics", tmp_path / "copy" / "x.ics"
    copy.parent.mkdir()
    for each in (path, copy):
        each.write_bytes(b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")
    told: list[str] = []
    assert [each for each, _ in read_files([path, path, copy], told.append)] == [path]
    assert told == [
        f"{path} is named twice; it is read once",
        f"{copy} holds the same as {path}; it is read once",
    ]


def test_a_byte_order_mark_is_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "x.ics"
    path.write_bytes(b"\xef\xbb\xbfBEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")
    assert b"BEGIN:VCALENDAR" in read_file(path)


def test_a_long_range_is_archived_in_windows_that_meet_and_that_the_api_accepts() -> None:
    windows = file(date(2024, 1, 1), date(2026, 7, 1)).windows()
    assert windows[0][0] == datetime(2023, 12, 31, 23, tzinfo=UTC)
    assert windows[-1][1] == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert all(earlier[1] == later[0] for earlier, later in pairwise(windows))
    assert all((end - start).days <= 400 for start, end in windows)


def tally(count: int, hours: float, net_hours: float) -> dict[str, Any]:
    return {"count": count, "hours": hours, "net_hours": net_hours}


STATISTICS: dict[str, Any] = {
    "periods": [
        {"first_day": "2026-10-05", "total": tally(0, 0.0, 0.0)},
        {"first_day": "2026-10-12", "total": tally(2, 4.0, 3.5)},
    ],
    "total": tally(2, 4.0, 3.5),
}


def test_what_became_of_the_entries_of_a_file_is_told() -> None:
    occurrences = [event("2026-10-14T08:00", "2026-10-14T10:00", seriesMasterId="m", subject="Jour fixe")] * 2
    declined = {"subject": "Declined", "responseStatus": {"response": "declined"}}
    occurrences.append(event("2026-10-13T08:00", "2026-10-13T09:00", **declined))
    text = "\n".join(reading_lines(file(date(2026, 10, 1), date(2026, 11, 1)), occurrences))
    assert "3 events from 2026-10-01 to 2026-11-01, 1 series." in text
    assert "3 entries in the file: 1 loaded, 1 outside the range, 1 not representable." in text
    assert "1 before it (2020-03-02)" in text
    assert "Declined by kim@example.com, so no time: 1 event:" in text
    assert "  2026-10-13 10:00  Declined" in text
    assert "  2026-10-01  Lunch: it ends before it starts (line 7)" in text


def test_the_json_holds_the_same() -> None:
    told = as_json(
        file(date(2026, 10, 1), date(2026, 11, 1)),
        [event("2026-10-14T08:00", "2026-10-14T10:00")],
        STATISTICS["periods"],
    )
    assert told["weeks"] == [{"monday": "2026-10-12", "events": 2, "hours": 4.0, "net_hours": 3.5}]
    assert told["unrepresentable"][0]["reason"] == "it ends before it starts"
    assert told["entries"]["total"] == 3


def test_a_file_that_gives_nothing_says_why() -> None:
    text = why_empty(file(date(2026, 10, 1), date(2026, 11, 1)).loaded)
    assert "no event that could be taken from 2026-10-01 until before 2026-11-01" in text
    assert "Outside the range: 1 before it (2020-03-02). Choose other days with --from and --to." in text
    assert "Lunch: it ends before it starts (line 7)" in text


def event(start: str, end: str, **fields: Any) -> dict[str, Any]:
    times = {
        name: {"dateTime": f"{moment}:00.0000000", "timeZone": "UTC"}
        for name, moment in (("start", start), ("end", end))
    }
    return {"subject": "Work", "isAllDay": False, "showAs": "busy", "isCancelled": False} | times | fields


def file(start: date, end: date) -> CalendarFile:
    entry = {"uid": "1", "summary": "Lunch", "start": "2026-10-01", "file": "", "line": 7}
    before = {"count": 1, "first": "2020-03-02", "last": "2020-03-02"}
    loaded = {
        "range": {"from": start.isoformat(), "to": end.isoformat()},
        "series": 1,
        "entries": {
            "total": 3,
            "loaded": 1,
            "outside_range": 1,
            "unrepresentable": 1,
            "older_version": 0,
            "left_to_another": 0,
        },
        "outside_range": {"count": 1, "before": before, "after": None},
        "unrepresentable": [entry | {"reason": "it ends before it starts"}],
        "older_versions": [],
        "left_to_another": [],
        "notes": [],
        "assumed_zones": [],
        "remarks": [],
        "owner": {"address": "kim@example.com", "said_by": "--owner"},
    }
    person = Person("mine@calendar.example.com", "mine", "Europe/Vienna", start, nightly=False)
    return CalendarFile(Path("mine.ics"), person, start, end, loaded)

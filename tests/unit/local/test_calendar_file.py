"""A person's own calendar file: what is refused, and what the report says of its hours."""

from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from infra.local.calendar_file import CalendarFile, as_json, as_text, read_file
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


def test_a_long_range_is_archived_in_windows_that_meet_and_that_the_api_accepts() -> None:
    windows = file(date(2024, 1, 1), date(2026, 7, 1)).windows()
    assert windows[0][0] == datetime(2023, 12, 31, 23, tzinfo=UTC)
    assert windows[-1][1] == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert all(earlier[1] == later[0] for earlier, later in pairwise(windows))
    assert all((end - start).days <= 400 for start, end in windows)


def tally(count: int, hours: float, net_hours: float) -> dict[str, Any]:
    return {"count": count, "hours": hours, "net_hours": net_hours}


STATISTICS = {
    "periods": [
        {"first_day": "2026-10-05", "total": tally(0, 0.0, 0.0)},
        {"first_day": "2026-10-12", "total": tally(2, 4.0, 3.5)},
    ],
    "total": tally(2, 4.0, 3.5),
}


def test_the_text_names_weeks_series_and_what_could_not_be_represented() -> None:
    occurrences = [event("2026-10-14T08:00", "2026-10-14T10:00", seriesMasterId="m", subject="Jour fixe")] * 2
    text = as_text(file(date(2026, 10, 1), date(2026, 11, 1)), occurrences, STATISTICS)
    rows = [line.split() for line in text.splitlines()]
    assert ["2026-10-12", "2", "4.00", "3.50"] in rows
    assert ["all", "2", "4.00", "3.50"] in rows
    assert "2026-10-05" not in text
    assert "1 series found" in text
    assert "2 × Jour fixe" in text
    assert "Lunch: RDATE cannot be represented" in text


def test_the_json_holds_the_same() -> None:
    told = as_json(
        file(date(2026, 10, 1), date(2026, 11, 1)),
        [event("2026-10-14T08:00", "2026-10-14T10:00")],
        STATISTICS,
    )
    assert told["weeks"] == [{"monday": "2026-10-12", "events": 2, "hours": 4.0, "net_hours": 3.5}]
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

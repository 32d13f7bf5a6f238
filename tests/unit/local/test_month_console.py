"""The console's page of a month: at most 100 columns, the API's numbers, no colour but on a terminal."""

import io
import re
from datetime import date, timedelta
from typing import Any

import pytest
from rich.console import Console

from infra.local import month_console
from infra.local.month_console import print_month


def tally(hours: float = 0.0, count: int | None = None, net: float | None = None) -> dict[str, Any]:
    return {
        "count": (1 if hours else 0) if count is None else count,
        "hours": hours,
        "net_hours": hours if net is None else net,
    }


def figures(
    total: float = 0.0, billable: float = 0.0, non_billable: float = 0.0, without: float = 0.0
) -> Any:
    return {
        "total": tally(total + 0.5, 9, total),
        "billable": tally(billable),
        "non_billable": tally(non_billable),
        "without_category": tally(without),
        "ambiguous": tally(),
        "private": tally(),
    }


def member(subject: str, *, counts: bool = True) -> dict[str, Any]:
    times = {"start": "2026-03-03T09:00:00Z", "end": "2026-03-03T10:15:00Z"}
    return {"source_key": subject, "subject": subject, "counts": counts, **times}


def month(**others: Any) -> dict[str, Any]:
    weeks = [("2026-03-01", "2026-03-01"), ("2026-03-02", "2026-03-08"), ("2026-03-09", "2026-03-15")]
    days = [date(2026, 3, 1) + timedelta(days=number) for number in range(31)]
    return {
        **figures(41.25, 30.5, 8.0, 2.75),
        "display_name": "Kim",
        "month": "2026-03",
        "first_day": "2026-03-01",
        "last_day": "2026-03-31",
        "time_zone": "Europe/Berlin",
        "weeks": [
            {"first_day": first, "last_day": last, **figures(20.5 * (first > "2026-03-01"), 15.25, 4.0, 1.25)}
            for first, last in weeks
        ],
        "days": [
            {"day": day.isoformat(), "missing_hours": 8.0 if day.day in (3, 4) else 0.0} for day in days
        ],
        "customers": [
            {
                "customer": "A customer whose name is so long that no table of any width has room for it "
                * 2,
                "billable": tally(30.5),
                "non_billable": tally(8.0),
                "net_hours_before": 12.25,
            }
        ],
        "before": {"month": "2026-02", **figures(99.75)},
        "attention": [
            {
                "kind": "invalid_category",
                "name": "Cobalt- billable",
                "reason": "a space is missing before the hyphen",
                "remedy": "Change it to “Cobalt - billable”.",
                "hours": 2.75,
                "count": 3,
                "first_start": "2026-03-03T09:00:00Z",
                "last_start": "2026-03-05T09:00:00Z",
            }
        ],
        "overlaps": [
            {
                "start": "2026-03-03T09:00:00Z",
                "note": "all of it counts",
                "hours_twice": 0.5,
                "hours_waiting": 0.0,
                "members": [member("Audit"), member("Lunch\x1b[31m evil\u202e")],
                "proposal": {"kept": ["Audit"], "dropped": ["Lunch"], "reason": "tentative gives way"},
            }
        ],
        "modifications": [],
        "unapplied_modifications": [
            {"start": "2026-03-03T09:00:00Z", "subject": "Extended", "reason": "no meeting ends near it"}
        ],
        "missing_hours": 16.0,
        "workday_hours": 8.0,
        "not_counted": [{"count": 2, "reason": "declined"}],
    } | others


def printed(width: int = 100, *, terminal: bool = False, encoding: str = "utf-8", **others: Any) -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, errors="replace", newline="\n")
    console = Console(
        file=file,
        width=width,
        force_terminal=terminal,
        color_system="standard" if terminal else "auto",
        markup=False,
    )
    overview = [{"name": "2026-02", "total": tally(99.75)}, {"name": "2026-03", "total": tally(41.25)}]
    print_month(console, month(**others), source="kim.ics", overview=overview, read=["1 entry, all loaded."])
    file.flush()
    return raw.getvalue().decode(encoding)


def test_the_page_shows_what_the_api_answers() -> None:
    text = printed()
    for told in (
        "March 2026  Kim",
        "kim.ics, times in Europe/Berlin",
        "41.25 h net  30.50 billable  8.00 non-billable  2.75 no category",
        "41.75 h gross of 9 events; February: 99.75 h net",
        "2 – 8 Mar",
        "2.75 h  Cobalt- billable  3 ×, 3 – 5 Mar",
        "a space is missing before the hyphen",
        "Change it to “Cobalt - billable”.",
        "10:00 – 11:15  Audit",
        "The rule would keep Audit: tentative gives way.",
        "Extended: not applied, no meeting ends near it",
        "16.00 h, of 8.00 h a working day",
        "8.00 on 3, 4",
        "2 declined",
        "1 entry, all loaded.",
        "2026-02 99.75 h",
    ):
        assert told in text, told


@pytest.mark.parametrize("width", [100, 80, 60, 40])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    text = printed(width)
    assert max(map(len, text.splitlines())) <= width
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_colours_are_for_terminals_and_nothing_of_a_calendar_commands_one() -> None:
    assert "\x1b" not in printed()
    assert "\u202e" not in printed()
    coloured = printed(terminal=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured).replace("\x1b", "") != coloured
    assert "\x1b[31m evil" not in coloured


def test_a_terminal_without_unicode_gets_plain_bars() -> None:
    assert "#####" in printed(encoding="ascii")
    assert "?????" not in printed(encoding="ascii")


def test_a_month_in_order_is_said_to_be() -> None:
    text = printed(attention=[], overlaps=[])
    assert "Nothing: every event has one valid category, and no time counts twice." in text
    assert "Overlaps" not in text


def test_a_console_is_never_wider_than_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    for columns, width in (("250", 100), ("72", 72), ("3", 20)):
        monkeypatch.setenv("COLUMNS", columns)
        assert month_console.console(io.StringIO()).width == width

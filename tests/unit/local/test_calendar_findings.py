"""What ``./dev run --calendar`` says of overlaps, categories and hours."""

from typing import Any

from infra.local.calendar_findings import Findings, as_json, as_text

_NOTHING: dict[str, Any] = {"count": 0, "hours": 0.0, "net_hours": 0.0}


def statistics(*lines: dict[str, Any], **others: Any) -> dict[str, Any]:
    tallies = dict.fromkeys(("ambiguous", "personal", "invalid", "total"), _NOTHING)
    return {"lines": list(lines), "not_counted": []} | tallies | others


def test_a_calendar_in_order_is_said_to_be() -> None:
    text = as_text(Findings([], [], [], statistics(), "Europe/Vienna"))
    assert "No events overlap." in text
    assert "Every event has a valid category." in text


def test_overlaps_suggestions_and_hours_are_told_in_local_time() -> None:
    workshop = {"subject": "Workshop", "start": "2026-03-02T08:00:00Z", "end": "2026-03-02T16:00:00Z"}
    call = {"subject": None, "start": "2026-03-02T22:30:00Z", "end": "2026-03-02T23:30:00Z"}
    group = workshop | {"status": "flagged", "members": [workshop, call]}
    event = workshop | {
        "categories": ["Acme billable"],
        "suggestions": [
            {
                "category": "Acme - billable",
                "evidence": [{"relation": "series", "count": 7}],
                "rule_id": None,
            },
            {"category": "Acme - non-billable", "evidence": [], "rule_id": "1"},
            {"category": "Beta - billable", "evidence": [], "rule_id": None},
        ],
    }
    hours = statistics(
        {"customer": "Acme", "billing_type": "billable", "count": 3, "hours": 4.5, "net_hours": 4.25},
        ambiguous={"count": 1, "hours": 9.0, "net_hours": 9.0},
        total={"count": 4, "hours": 13.5, "net_hours": 13.25},
        not_counted=[{"why_not": "left_out_by_resolution", "count": 2}, {"why_not": "free", "count": 1}],
    )
    fair = {"subject": "Fair", "is_all_day": True, "categories": ["Acme - billable"]}
    fair |= {"start": "2026-10-07T00:00:00Z", "end": "2026-10-08T00:00:00Z"}
    findings = Findings([group], [event], [fair], hours, "Europe/Vienna")
    text = as_text(findings)
    assert "1 group of overlapping events:\n  2026-03-02 09:00 to 17:00  flagged" in text
    assert "2026-03-02 23:30 to 00:30 (03 Mar)  (no subject)" in text
    assert "Workshop [Acme billable]\n      perhaps Acme - billable (7 × the same series)" in text
    assert "perhaps Acme - non-billable (a rule of yours)" in text
    lines = [line.split() for line in text.splitlines()]
    table = lines.index(["customer", "billing", "type", "events", "hours", "net", "hours"])
    assert lines[table + 2 : table + 4] == [
        ["ambiguous", "1", "9.00", "9.00"],
        ["Acme", "billable", "3", "4.50", "4.25"],
    ]
    assert "  2026-10-07, all day  Fair [Acme - billable]" in text
    assert "Events that count as no time: 2 left out by resolution, 1 free." in text
    assert as_json(findings)["overlaps"] == [group]


def test_all_day_events_are_told_by_their_dates_whatever_the_zone() -> None:
    fair = {"subject": "Fair", "is_all_day": True, "categories": [], "suggestions": []}
    two_days = fair | {"start": "2026-10-07T00:00:00Z", "end": "2026-10-09T00:00:00Z"}
    one_day = fair | {"start": "2026-10-07T00:00:00Z", "end": "2026-10-08T00:00:00Z"}
    text = as_text(Findings([], [two_days, one_day], [], statistics(), "America/New_York"))
    assert "2026-10-07 to 2026-10-08, all day  Fair" in text
    assert "  2026-10-07, all day  Fair" in text


def test_long_lists_are_cut_and_say_so() -> None:
    times = {"start": "2026-03-02T08:00:00Z", "end": "2026-03-02T09:00:00Z"}
    events: list[dict[str, Any]] = [times | {"subject": "x", "categories": [], "suggestions": []}] * 25
    assert "and 5 more" in as_text(Findings([], events, [], statistics(), "UTC"))

"""The report of a run: what a program reads, what a person sees, and when the exit status is not 0."""

import io
import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from infra.local import another_mailbox, report
from infra.local.archive_copies import NamedEvent
from infra.local.outcome import BESIDE, OUTCOMES, ArchiveOutcome, assemble
from infra.local.people_report import print_people
from infra.local.readback import Comparison
from infra.local.runs import Followed
from infra.local.told import Needs

type Json = dict[str, Any]

TOLD: dict[str, int | float] = dict.fromkeys((*OUTCOMES, *BESIDE), 0) | {
    "archived": 7,
    "merged": 1,
    "graph_requests": 12,
    "round_trips": 3,
    "seconds": 1.5,
}

BACKFILL: Json = {
    "status": "completed",
    "reason": None,
    "window_start": "2026-09-01T00:00:00Z",
    "window_end": "2026-10-01T00:00:00Z",
    "months_done": 1,
    "months_total": 1,
    "progress": 100,
}


def test_a_clean_run_has_no_problem() -> None:
    assert outcome(source=8).problems == ()


def test_outcomes_that_do_not_add_up_are_a_problem() -> None:
    assert outcome(source=9).problems == ("8 outcomes for 9 source events",)


def test_missing_doubled_and_failed_are_problems() -> None:
    assert outcome(source=8, missing=2).problems == ("2 missing",)
    assert outcome(source=8, doubled=1).problems == ("1 doubled",)
    assert outcome(source=9, told=TOLD | {"failed": 1}).problems == ("1 failed",)


def test_a_run_that_ended_badly_is_a_problem() -> None:
    cancelled = {"id": 1, "status": "cancelled"}
    assert outcome(source=8, runs=[cancelled]).problems == ("run 1 ended cancelled",)


def test_a_backfill_that_does_not_end_is_a_problem() -> None:
    told = outcome(source=8, backfill=BACKFILL | {"status": "waiting", "reason": "calendar gone"})
    assert told.problems == ("the backfill is waiting: calendar gone",)


def test_the_json_has_exactly_the_agreed_members() -> None:
    told = json.loads(report.as_json([outcome(source=8)]))
    assert told.keys() == {"mailboxes", "configurations"}
    assert list(told["mailboxes"]["a@example.com"]) == [
        *(
            "source",
            "archived",
            "unchanged",
            "updated",
            "merged",
            "consumed",
            "left_out",
            "flagged",
            "locked",
        ),
        *("conflict", "failed", "missing", "doubled", "graph_requests", "round_trips", "seconds"),
    ]


def test_the_configurations_of_a_mailbox_are_told_one_by_one_and_added_up() -> None:
    second = outcome(source=9, told=TOLD | {"left_out": 1, "overlaps_resolved": 2}, name="Timesheet")
    told = json.loads(report.as_json([outcome(source=8), second]))
    assert told["mailboxes"]["a@example.com"]["source"] == 17
    assert [entry["name"] for entry in told["configurations"]] == ["Everything", "Timesheet"]
    entry = told["configurations"][1]
    assert (entry["mailbox"], entry["purpose"], entry["overlap_policy"]) == (
        "a@example.com",
        "general",
        "keep_all",
    )
    assert (entry["left_out"], entry["overlaps_resolved"], entry["backfill"]) == (1, 2, None)


def test_calendar_files_are_told_beside_the_mailboxes() -> None:
    told = json.loads(report.as_json([outcome(source=8)], [{"file": "日.ics"}]))
    assert told["calendars"] == [{"file": "日.ics"}]


def test_what_waits_is_told_by_person() -> None:
    needs = {"a@example.com": Needs("Anna Gruber", overlaps=2, trouble=1)}
    told = json.loads(report.as_json([outcome(source=8)], needs=needs))
    assert told["needs"]["a@example.com"]["overlaps"] == 2
    assert needs["a@example.com"].as_text() == "2 overlaps need Anna, 1 failure needs Anna"
    assert Needs("Anna", questions=1).as_text() == "1 changed meeting needs Anna"
    assert Needs("田中 由紀").as_text() == "nothing needs 田中"


def test_people_read_what_each_archive_is_for_and_nothing_of_its_cost() -> None:
    file = io.StringIO()
    sheet = outcome(source=10, told=TOLD | {"flagged": 2}, name="Timesheet")
    sheet.about.update(purpose="timesheet", overlap_policy="auto")
    needs = {"a@example.com": Needs("Anna Gruber", overlaps=2)}
    print_people(Console(file=file, width=100), [outcome(source=8), sheet], needs, None)
    text = file.getvalue()
    for told in (
        "Anna Gruber  a@example.com",
        "Everything: everything, as a record of what was; what overlaps is kept",
        "8 events: 7 archived, 1 exact duplicates",
        "Timesheet: billable time and travel, for invoices; clear overlaps are resolved by rule",
        "2 wait for a decision",
        "2 overlaps need Anna",
        "./dev run --once --calendar mine.ics",
    ):
        assert told in text, told
    assert text.count("a@example.com") == 2
    assert "round trips" not in text
    assert "requests" not in text


def test_the_table_leaves_out_what_is_zero_everywhere_but_never_what_matters() -> None:
    header, _, row = report.as_table([outcome(source=8)]).splitlines()
    for name in ("source", "archived", "failed", "missing", "doubled", "round trips", "seconds"):
        assert name in header
    assert "flagged" not in header
    assert row.split()[:4] == ["a@example.com", "Everything", "8", "7"]


def test_the_table_adds_several_mailboxes_up() -> None:
    last = report.as_table([outcome(source=8), outcome(source=8, name="Second")]).splitlines()[-1]
    assert last.split()[:3] == ["all", "16", "14"]


def test_what_was_done_beside_and_the_backfill_follow_the_table() -> None:
    told = outcome(source=8, told=TOLD | {"orphan_modifications": 3}, backfill=BACKFILL)
    _, beside, backfill = report.as_table([told]).split("\n\n")
    assert "orphan modifications" in beside
    assert beside.splitlines()[-1].split() == ["a@example.com", "Everything", "0", "0", "3", "0", "0"]
    assert backfill == "Backfill of a@example.com, Everything: 1 of 1 months, 100 %, completed."


def test_an_empty_report_is_no_error() -> None:
    assert report.as_table([]).startswith("mailbox")
    assert report.problems([]) == []


def test_what_is_missing_and_doubled_is_named() -> None:
    wrong = outcome(source=8, told=TOLD | {"category_issues": 1}, missing=30, doubled=1)
    told = json.loads(report.as_json([wrong]))["configurations"][0]
    assert len(told["missing_events"]) == 30
    assert told["missing_events"][0] == {
        "subject": "Event 0",
        "start": "2026-10-05T07:00:00Z",
        "end": "2026-10-05T08:00:00Z",
        "copies": 0,
    }
    assert told["doubled_events"][0]["copies"] == 2
    _, _, missing, doubled = report.as_table([wrong]).split("\n\n")
    assert missing.splitlines()[:2] == [
        "30 missing in a@example.com, Everything:",
        "  2026-10-05 07:00 UTC  Event 0",
    ]
    assert missing.splitlines()[-1] == "  and 10 more"
    assert doubled.splitlines()[1] == "  2026-10-05 07:00 UTC  Event 0  (2 copies)"


def test_what_configurations_of_one_archive_double_is_added_once() -> None:
    pair = [outcome(source=8, doubled=3), outcome(source=8, doubled=3, name="Second")]
    told = json.loads(report.as_json(pair))
    assert [entry["doubled"] for entry in told["configurations"]] == [3, 3]
    assert told["mailboxes"]["a@example.com"]["doubled"] == 3
    assert len(report.problems(pair)) == 2


def outcome(
    *,
    source: int,
    told: dict[str, int | float] = TOLD,
    missing: int = 0,
    doubled: int = 0,
    runs: Sequence[Json] = (),
    backfill: Json | None = None,
    name: str = "Everything",
) -> ArchiveOutcome:
    configuration = {
        "name": name,
        "source": "msgraph://a@example.com/calendar",
        "archive": "msgraph://a@example.com/calendars/Archive",
        "purpose": "general",
        "overlap_policy": "keep_all",
    }
    comparison = Comparison(events=({},) * source, doubled=tuple(named(doubled, 2)))
    return assemble(Followed(configuration, list(runs), backfill), told, comparison, named(missing, 0))


def named(number: int, copies: int) -> list[NamedEvent]:
    times = ("2026-10-05T07:00:00", "2026-10-05T08:00:00")
    return [NamedEvent(f"Event {each}", *times, copies) for each in range(number)]


def test_anothers_mailbox_is_one_line_and_one_member() -> None:
    moment = {
        "reader": "rita",
        "read": "clara",
        "approval": "approved",
        "told": ["Your calendar is archived"],
    }
    told = json.loads(report.as_json([outcome(source=8)], another=moment))
    assert told["another_mailbox"] == moment
    line = another_mailbox.as_text(moment)
    assert "rita archives clara" in line
    assert "approved; told by mail: “Your calendar is archived”" in line
    assert "nothing yet" in another_mailbox.as_text(moment | {"told": []})

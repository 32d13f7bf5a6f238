"""What a run reports adds up (domain.md 2.13)."""

from shared.domain.runs.outcome import Outcome, OutcomeReport


def test_a_report_adds_up_when_each_source_event_has_one_outcome() -> None:
    report = OutcomeReport.of(
        6, {Outcome.ARCHIVED: 3, Outcome.MERGED: 2, Outcome.FAILED: 1}, graph_requests=9
    )
    assert report.adds_up
    assert report.count(Outcome.MERGED) == 2
    assert report.graph_requests == 9


def test_a_report_that_lost_or_doubled_an_event_does_not_add_up() -> None:
    assert not OutcomeReport.of(7, {Outcome.ARCHIVED: 6}).adds_up
    assert not OutcomeReport.of(5, {Outcome.ARCHIVED: 6}).adds_up


def test_a_report_names_every_count_of_the_rule() -> None:
    fields = OutcomeReport.of(0, {}).to_json()
    assert {str(outcome) for outcome in Outcome} <= fields.keys()
    assert len(Outcome) == 10
    beside = "overlaps_resolved modifications_applied orphan_modifications category_issues"
    assert set(beside.split()) <= fields.keys()
    assert {"graph_requests", "round_trips", "seconds", "source"} <= fields.keys()

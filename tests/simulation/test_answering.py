"""What the oracle takes for right of events about which the owner is asked, or was (domain.md 2.16)."""

from datetime import UTC, datetime

import pytest

from tests.simulation.answering import ANSWERS, Answers
from tests.simulation.shown_events import shown
from tests.simulation.source_keys import Json, key_of
from tests.simulation.test_locked_days import map_row, problems

NOW = datetime(2026, 3, 1, tzinfo=UTC)
REVIEW = shown("03-01T14:00", "03-01T16:00", id="Review", subject="Review")
CALL = shown("03-01T15:00", "03-01T16:00", id="Call", subject="Call")
REVIEW_WAITS = "'Review' at 2026-03-01T14:00 (s:Review) is flagged, not present"
CALL_WAITS = "'Call' at 2026-03-01T15:00 (s:Call) is flagged, not present"


def waiting(answer: str | None) -> set[str]:
    """What waits for an answer, of an item about the review that no run has carried out yet."""
    due = None if answer is None else NOW
    item = {
        "question": "likely_same",
        "status": "open" if answer is None else "answered",
        "answer": answer,
        "due_at": due,
        "carried_out_at": None,
    }
    sides = (("archived", "s:gone"), ("new", key_of(REVIEW)))
    answers = Answers()
    answers.take(item, [{"side": side, "source_key": key, "source_id": key} for side, key in sides], {1})
    assert answers.asked == {1}
    return answers.keys


def judged(events: list[Json], answer: str | None, policy: str = "flag") -> list[str]:
    """What the oracle says if all of these events wait."""
    rows = [map_row(each, "flagged") for each in events]
    return problems(events, rows, None, overlaps=policy, waiting=waiting(answer))


def test_an_event_that_its_owner_is_asked_about_waits_and_makes_no_other_wait() -> None:
    assert judged([REVIEW], None) == []
    assert judged([REVIEW, CALL], None) == [CALL_WAITS]


def test_events_that_overlap_after_the_answer_wait_for_that_decision() -> None:
    assert judged([REVIEW, CALL], "two_meetings") == []
    assert judged([REVIEW, CALL], "two_meetings", "keep_all") == [REVIEW_WAITS, CALL_WAITS]


@pytest.mark.parametrize("answer", ANSWERS["likely_same"])
def test_an_event_that_overlaps_nothing_does_not_wait_after_the_answer(answer: str) -> None:
    assert judged([REVIEW], answer) == [REVIEW_WAITS]


def answers_about_a_series(*log: dict[str, str]) -> Answers:
    """What the answers mean of a question about a changed series that is open again."""
    item = {"question": "series_changed", "status": "open", "answer": None, "log": list(log)}
    answers = Answers()
    answers.take(item | {"due_at": None, "carried_out_at": None}, [], {1})
    return answers


def test_what_was_answered_of_a_series_before_it_changed_again_was_carried_out() -> None:
    asked, again = {"by": "plan", "status": "open"}, {"by": "plan", "reason": "the series changed again"}
    answers = answers_about_a_series(asked, {"by": "Ada", "answer": "take_series"}, again)
    assert (answers.answered, answers.superseded, answers.more) == ({1}, {1}, {1: 1})
    assert answers_about_a_series(asked).answered == set()
    kept = answers_about_a_series(asked, {"by": "Ada", "answer": "keep_archived"}, again)
    assert (kept.answered, kept.superseded) == ({1}, set())


@pytest.mark.parametrize(
    ("status", "answer", "stays"),
    [
        ("open", None, True),
        ("answered", "keep_archived", True),
        ("expired", "keep_archived", True),
        ("answered", "take_series", False),
        ("closed", None, False),
    ],
)
def test_what_is_archived_of_a_series_stays_while_its_owner_is_asked_or_keeps_it(
    status: str, answer: str | None, stays: bool
) -> None:
    item: dict[str, object] = {"question": "series_changed", "status": status, "answer": answer, "log": []}
    answers = Answers()
    answers.take(item | {"due_at": None, "carried_out_at": NOW}, [], {1})
    assert answers.series == ({1} if stays else set())

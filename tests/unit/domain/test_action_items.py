"""What may be answered to which question, and what names it."""

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.action_items.items import (
    ActionItemKind,
    Answer,
    Question,
    about,
    answers_to,
    default_answer,
    expiring_questions,
    kind_of,
)

IDS = st.lists(st.text(max_size=8), max_size=4, unique=True)


def test_every_answer_belongs_to_one_question_and_a_default_changes_nothing() -> None:
    assert sorted(answer for question in Question for answer in answers_to(question)) == sorted(Answer)
    for question in Question:
        default = default_answer(question)
        assert default is None or (default in answers_to(question) and not default.changes_archive)


def test_what_is_likely_the_same_never_expires_and_is_listed_first() -> None:
    assert expiring_questions() == (Question.MOVED_ON, Question.SERIES_CHANGED)
    assert min(ActionItemKind, key=lambda kind: kind.rank) is ActionItemKind.SAME_MEETING
    assert kind_of(Question.MOVED_ON) is ActionItemKind.SAME_MEETING


@given(old=IDS, new=IDS)
def test_the_order_of_sources_names_nothing_else_and_the_sides_do(old: list[str], new: list[str]) -> None:
    named = about(Question.LIKELY_SAME, old, new)
    assert named == about(Question.LIKELY_SAME, reversed(old), reversed(new))
    assert named != about(Question.MOVED_ON, old, new)
    if sorted(old) != sorted(new):
        assert named != about(Question.LIKELY_SAME, new, old)

"""Action items about archived meetings: questions and their possible answers (domain.md 2.4, 2.16, 2.17).

An item is bound to rows of the map (side ``archived``) and to source events (side ``new``). Overlaps are
action items too and have their own module. To add a question, extend ``Question`` and ``_QUESTIONS``. A plan
opens it with ``services/archiving/action_item_keeping.py``.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ActionItemKind(StrEnum):
    """What an item is about. Lists use this order."""

    SAME_MEETING = "same_meeting"
    SERIES_RESET = "series_reset"

    @property
    def rank(self) -> int:
        """Its position in lists, from 0."""
        return list(ActionItemKind).index(self)


class Question(StrEnum):
    """What an item asks.

    - ``likely_same``: are a meeting whose source is gone and a new event the same meeting (2.16 d, e)?
    - ``moved_on``: the source of a past meeting now starts at a later time (2.4).
    - ``series_changed``: a series no longer shows what is archived of it (2.17).
    """

    LIKELY_SAME = "likely_same"
    MOVED_ON = "moved_on"
    SERIES_CHANGED = "series_changed"


class Answer(StrEnum):
    """What an owner can answer. ``answers_to`` has the answers of each question.

    - ``one_meeting``: the copy takes the new content.
    - ``two_meetings``: both count.
    - ``new_one_only``: the old copy is superseded.
    - ``took_place``: the old copy counts.
    - ``was_postponed``: the old copy is superseded.
    - ``keep_archived``: nothing changes.
    - ``take_series``: the archive becomes what the series shows.
    """

    ONE_MEETING = "one_meeting"
    TWO_MEETINGS = "two_meetings"
    NEW_ONE_ONLY = "new_one_only"
    TOOK_PLACE = "took_place"
    WAS_POSTPONED = "was_postponed"
    KEEP_ARCHIVED = "keep_archived"
    TAKE_SERIES = "take_series"

    @property
    def changes_archive(self) -> bool:
        """Whether a run must carry the answer out. Else nothing changes."""
        return self not in (Answer.TOOK_PLACE, Answer.KEEP_ARCHIVED)


class ActionItemStatus(StrEnum):
    """The state of an item.

    - ``expired``: nobody answered in time, and the default applies.
    - ``closed``: there is no question left.
    """

    OPEN = "open"
    ANSWERED = "answered"
    EXPIRED = "expired"
    CLOSED = "closed"


class CloseReason(StrEnum):
    """Why no question is left.

    - ``settled_itself``: one of the events changed, vanished or came back, so they no longer match.
    - ``source_taken``: a run in replace mode took the source as it is (2.17).
    """

    SETTLED_ITSELF = "settled_itself"
    SOURCE_TAKEN = "source_taken"


class Side(StrEnum):
    """The two sides of an item.

    - ``archived``: the meeting as its copy shows it.
    - ``new``: the event as its calendar shows it.
    """

    ARCHIVED = "archived"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class _Terms:
    kind: ActionItemKind
    answers: tuple[Answer, ...]
    default: Answer | None


_SAME: Final = (Answer.ONE_MEETING, Answer.TWO_MEETINGS, Answer.NEW_ONE_ONLY)
_QUESTIONS: Final = {
    Question.LIKELY_SAME: _Terms(ActionItemKind.SAME_MEETING, _SAME, None),
    Question.MOVED_ON: _Terms(
        ActionItemKind.SAME_MEETING, (Answer.TOOK_PLACE, Answer.WAS_POSTPONED), Answer.TOOK_PLACE
    ),
    Question.SERIES_CHANGED: _Terms(
        ActionItemKind.SERIES_RESET, (Answer.KEEP_ARCHIVED, Answer.TAKE_SERIES), Answer.KEEP_ARCHIVED
    ),
}


def kind_of(question: Question) -> ActionItemKind:
    """The kind of items that ask this question."""
    return _QUESTIONS[question].kind


def answers_to(question: Question) -> tuple[Answer, ...]:
    """The possible answers."""
    return _QUESTIONS[question].answers


def default_answer(question: Question) -> Answer | None:
    """The answer that applies if nobody answers in time. None: the item never expires (domain.md 2.16)."""
    return _QUESTIONS[question].default


def expiring_questions() -> tuple[Question, ...]:
    """The questions that have a default answer."""
    return tuple(question for question in Question if default_answer(question) is not None)


def about(question: Question, archived: Iterable[str], new: Iterable[str] = ()) -> str:
    """An id made from the ids of the sources. It is equal in every archive that asks (2.18)."""
    named = json.dumps([str(question), sorted(archived), sorted(new)])
    return hashlib.sha256(named.encode()).hexdigest()

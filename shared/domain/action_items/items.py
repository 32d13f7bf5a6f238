"""Action items about archived meetings: what is asked, what can be answered (domain.md 2.4, 2.16, 2.17).

An item binds to rows of the map (side ``archived``) and to source events (side ``new``). Overlaps are action
items, too, and have a module of their own. To ask a further question: add it to ``Question`` and to
``_QUESTIONS``; a plan opens it with ``services/archiving/action_item_keeping.py``.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ActionItemKind(StrEnum):
    """What an item is about. They are listed in this order."""

    SAME_MEETING = "same_meeting"
    SERIES_RESET = "series_reset"

    @property
    def rank(self) -> int:
        """Its place in lists, from 0."""
        return list(ActionItemKind).index(self)


class Question(StrEnum):
    """``likely_same``: a meeting whose source is gone and a new event may be one (2.16 d, e).

    ``moved_on``: the source of a meeting that is over starts at a later time now (2.4).
    ``series_changed``: a series does not show any more what is archived of it (2.17).
    """

    LIKELY_SAME = "likely_same"
    MOVED_ON = "moved_on"
    SERIES_CHANGED = "series_changed"


class Answer(StrEnum):
    """What an owner may answer; which of them fits says ``answers_to``.

    ``one_meeting``: the copy takes the new content. ``two_meetings``: both count. ``new_one_only``: the old
    copy is superseded. ``took_place``: the old copy counts. ``was_postponed``: it is superseded.
    ``keep_archived``: nothing changes. ``take_series``: the archive becomes what the series shows.
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
        """Whether a run has to carry it out; else everything stays as it is."""
        return self not in (Answer.TOOK_PLACE, Answer.KEEP_ARCHIVED)


class ActionItemStatus(StrEnum):
    """``expired``: nobody answered in time, the default holds. ``closed``: there is nothing to ask now."""

    OPEN = "open"
    ANSWERED = "answered"
    EXPIRED = "expired"
    CLOSED = "closed"


class CloseReason(StrEnum):
    """Why there is nothing to ask any more.

    ``settled_itself``: rows and events are no such pair any more, since one of them changed, vanished or
    came back. ``source_taken``: a run in replace mode took the source as it is (2.17).
    """

    SETTLED_ITSELF = "settled_itself"
    SOURCE_TAKEN = "source_taken"


class Side(StrEnum):
    """``archived``: the meeting as its copy shows it. ``new``: the event as its calendar shows it."""

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
    """The kind of the items that ask it."""
    return _QUESTIONS[question].kind


def answers_to(question: Question) -> tuple[Answer, ...]:
    """What may be answered."""
    return _QUESTIONS[question].answers


def default_answer(question: Question) -> Answer | None:
    """What holds when nobody answers in time; None: the item never expires (domain.md 2.16)."""
    return _QUESTIONS[question].default


def expiring_questions() -> tuple[Question, ...]:
    """Those that have a default answer."""
    return tuple(question for question in Question if default_answer(question) is not None)


def about(question: Question, archived: Iterable[str], new: Iterable[str] = ()) -> str:
    """Names what is asked, by the ids of the sources: alike in every archive that asks it (2.18)."""
    named = json.dumps([str(question), sorted(archived), sorted(new)])
    return hashlib.sha256(named.encode()).hexdigest()

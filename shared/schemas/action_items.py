"""Action items about archived meetings (domain.md 2.4, 2.16, 2.17)."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Self
from uuid import UUID

from pydantic import Field

from shared.domain.action_items.items import (
    ActionItemKind,
    ActionItemStatus,
    Answer,
    CloseReason,
    Question,
    answers_to,
    default_answer,
)
from shared.schemas.base import Input, Resource, columns_of
from shared.schemas.event_values import Importance, Sensitivity, ShowAs
from shared.schemas.window import DatedPageQuery

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.database.models.action_items import ActionItem


class ActionItemListQuery(DatedPageQuery):
    """Selects items: of one person, a configuration, a status, a kind, or a range."""

    user_id: UUID | None = Field(default=None, description="Whose; the caller's own if not given.")
    configuration_id: UUID | None = None
    status: Annotated[ActionItemStatus, Field(strict=False)] | None = Field(
        default=None, description="open: those that wait for their owner."
    )
    kind: Annotated[ActionItemKind, Field(strict=False)] | None = None


class ActionItemAnswer(Input):
    """The owner's answer: one of the item's ``answers``."""

    answer: Annotated[
        Answer,
        Field(
            strict=False,
            description="- one_meeting: the copy takes the new content.\n- two_meetings: both count.\n"
            "- new_one_only: the old copy stays, shown free, and counts no time.\n"
            "- took_place: the old copy counts.\n- was_postponed: it counts no time.\n"
            "- keep_archived: nothing changes.\n- take_series: the archive becomes what the series shows.",
        ),
    ]


class ActionItemEventResource(Resource):
    """A meeting of an item, as its copy or its calendar shows it. Its subject is null if unknown.

    Of another person's private event, only the times and ``source_key`` are shown (6.3).
    """

    source_key: str
    appointment_id: UUID | None
    start: datetime
    end: datetime
    is_all_day: bool | None
    subject: str | None
    location: str | None
    categories: list[str]
    show_as: ShowAs | None
    importance: Importance | None
    sensitivity: Sensitivity | None
    organizer: str | None


class ActionItemSummary(Resource):
    """An item in a list. ``start`` and ``end`` span its meetings.

    ``answers`` are the possible ones. ``default`` applies when the item expires; null means that it never
    expires.
    """

    id: UUID
    user_id: UUID
    configuration_id: UUID
    kind: ActionItemKind
    question: Question
    status: ActionItemStatus
    answers: list[Answer]
    default: Answer | None
    answer: Answer | None
    proposal: Answer | None
    reason_code: CloseReason | None
    start: datetime
    end: datetime
    opened_at: datetime
    expires_at: datetime | None
    answered_at: datetime | None
    carried_out_at: datetime | None

    @classmethod
    def fields_of(cls, item: "ActionItem") -> dict[str, Any]:
        """The fields of a summary of the item."""
        question = Question(item.question)
        derived = {"answers": list(answers_to(question)), "default": default_answer(question)}
        named = {"reason_code": "closed_reason", "start": "start_at", "end": "end_at"}
        return derived | columns_of(item, ActionItemSummary, *derived, **named)


class AnsweredActionItem(ActionItemSummary):
    """An answered item and the run that carries it out. null: none is needed, or one will be queued soon."""

    run_id: UUID | None


class ActionItemLogEntry(Resource):
    """One action of a run or a person on an item."""

    occurred_at: datetime
    actor: str = Field(
        description="Who did it: `plan`, `user:` or `app:` with an object id at Entra, or `system:`."
    )
    status: ActionItemStatus | None = Field(description="What became of the item; null if it stayed open.")
    answer: Answer | None = Field(description="The answer; null if none was given.")
    reason: str | None = Field(description="Why, in words or as a code; null if a person answered.")

    @classmethod
    def of(cls, stored: "Mapping[str, Any]") -> Self:
        """An entry in its stored form."""
        named: dict[str, Any] = {name: stored.get(name) for name in cls.model_fields}
        return cls(**named | {"occurred_at": stored["at"], "actor": stored["by"]})


class ActionItemResource(ActionItemSummary):
    """One item with both sides, the archived meetings and the new events, and its log."""

    archived: list[ActionItemEventResource]
    new: list[ActionItemEventResource]
    log: list[ActionItemLogEntry]

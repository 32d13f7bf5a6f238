"""Overlaps: groups of events whose times intersect, and their resolutions (domain.md 5)."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.domain.overlaps.rules import OverlapRule, Verdict
from shared.domain.overlaps.status import OverlapStatus
from shared.schemas.base import Input, Resource, columns_of, plain
from shared.schemas.event_values import Importance, Sensitivity, ShowAs
from shared.schemas.problems import FieldProblem
from shared.schemas.window import DatedPageQuery

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.database.models.overlaps import OverlapGroup

type ResolutionAction = Literal["keep", "keep_all"]
#: The largest number of events in one resolution.
MAX_MEMBERS = 1000
#: The largest number of groups in one request.
MAX_CHOICES = 100


class OverlapListQuery(DatedPageQuery):
    """Selects groups: of one person, a configuration, a status, a range."""

    user_id: UUID | None = Field(default=None, description="Whose; the caller's own if not given.")
    configuration_id: UUID | None = None
    status: Annotated[OverlapStatus, Field(strict=False)] | None = Field(
        default=None, description="flagged: those that wait for their owner."
    )


class OverlapResolution(Input):
    """The owner's resolution: the events to keep, or all of them although they overlap (5.5).

    Other events are left out of the archive. If one was archived before, it keeps its copy and no longer
    counts as time.
    """

    action: ResolutionAction
    kept: list[Annotated[str, StringConstraints(min_length=3, max_length=1000), AfterValidator(plain)]] = (
        Field(
            default=[],
            max_length=MAX_MEMBERS,
            description="With keep: the members that are kept; none of them may overlap another.",
            examples=[["s:AAMkAGI2-workshop"]],
        )
    )

    @model_validator(mode="after")
    def _named(self) -> Self:
        if (self.action == "keep") != bool(self.kept):
            message = "name the events to keep" if self.action == "keep" else "belongs to keep alone"
            raise PydanticCustomError("kept_and_action", "{message}", {"field": "kept", "message": message})
        return self


class OverlapChoice(OverlapResolution):
    """The resolution of one of several groups."""

    id: UUID = Field(description="Id of the overlap.")
    if_match: Annotated[str, StringConstraints(pattern=r'^"[0-9]{1,18}"$')] | None = Field(
        default=None,
        description="ETag of the overlap as it was read; if given and it changed since, it is not decided.",
        examples=['"3"'],
    )


class OverlapChoices(Input):
    """Resolutions of several groups. Each succeeds or fails alone."""

    items: list[OverlapChoice] = Field(
        min_length=1, max_length=MAX_CHOICES, description="The decisions, each about another overlap."
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({each.id for each in self.items}) < len(self.items):
            message = "names an overlap more than once"
            raise PydanticCustomError("repeated", "{message}", {"field": "items", "message": message})
        return self


class OverlapOutcome(Resource):
    """The result of one resolution."""

    id: UUID = Field(description="Id of the overlap.")
    outcome: Literal["decided", "unchanged", "failed"] = Field(
        description="decided: as was asked. unchanged: it was decided so before. failed: nothing was changed."
    )
    status: OverlapStatus | None = Field(description="What became of the overlap; null where it failed.")
    etag: str | None = Field(description="Its ETag from now on; null where it failed.", examples=['"4"'])
    run_id: UUID | None = Field(
        description="The run that carries it out; null where none is needed, or one will be queued soon."
    )
    reason_code: str | None = Field(
        description="Why it failed: the code of the problem that deciding it alone would answer with."
    )
    reason: str | None = Field(description="Why it failed, in words.")
    errors: list[FieldProblem] = Field(description="The fields that are wrong, below this item.")


class OverlapOutcomes(Resource):
    """The result of each resolution, in the order of the request."""

    outcomes: dict[str, int] = Field(
        description="How many decisions came to each end.", examples=[{"decided": 2, "failed": 1}]
    )
    items: list[OverlapOutcome] = Field(description="One for each decision, in their order.")


class OverlapMemberResource(Resource):
    """An event of a group, with its times after modifications. Its subject is null if unknown.

    ``verdict`` is the policy's (kept, dropped, flagged). ``kept`` is what was decided since. Of another
    person's private event, only the times and ``source_key`` are shown (6.3).
    """

    source_key: str
    appointment_id: UUID | None
    start: datetime
    end: datetime
    verdict: Verdict | None
    kept: bool | None
    subject: str | None
    location: str | None
    categories: list[str]
    show_as: ShowAs | None
    importance: Importance | None
    sensitivity: Sensitivity | None
    organizer: str | None


class OverlapSummary(Resource):
    """A group in a list. ``end`` is the latest end of its events."""

    id: UUID
    user_id: UUID
    configuration_id: UUID
    status: OverlapStatus
    member_count: int
    start: datetime
    end: datetime
    opened_at: datetime
    expires_at: datetime | None
    settled_at: datetime | None
    version: int = Field(description="Rises with each change; in quotes it is the ETag.")

    @classmethod
    def fields_of(cls, group: "OverlapGroup") -> dict[str, Any]:
        """The fields of a summary of the group."""
        return columns_of(group, OverlapSummary, start="start_at", end="end_at")


class ResolvedOverlap(OverlapSummary):
    """A resolved group, and the run that carries the resolution out. null: one will be queued soon."""

    run_id: UUID | None


class OverlapDecision(Resource):
    """The resolution of a group, by its owner or by expiry."""

    action: ResolutionAction | None = Field(description="What its owner chose; null if nobody did.")
    status: OverlapStatus = Field(description="What became of the group.")
    kept: list[str] = Field(description="Source keys of the events that are kept; all others are left out.")

    @classmethod
    def of(cls, stored: "Mapping[str, Any] | None") -> Self | None:
        """The resolution in its stored form. None if there is none."""
        if stored is None:
            return None
        return cls(action=stored.get("action"), status=stored["status"], kept=stored.get("kept", []))


class OverlapLogEntry(Resource):
    """One action of a rule, a run or a person on a group."""

    occurred_at: datetime
    actor: str = Field(
        description="Who did it: `rule`, `plan`, `user:` or `app:` with an object id at Entra, or `system:`."
    )
    rule: OverlapRule | None = Field(description="The rule that decided; null if none did.")
    source_key: str | None = Field(description="Source key of the event that a rule dropped; else null.")
    because_of: str | None = Field(description="Source key of the event it had to give way to; else null.")
    action: ResolutionAction | None = Field(description="What its owner chose; null if nobody did.")
    status: OverlapStatus | None = Field(description="What became of the group; null if it stayed open.")
    kept: list[str] | None = Field(description="Source keys of the events that are kept; else null.")
    reason: str | None = Field(description="Why, in words; null if a person decided.")

    @classmethod
    def of(cls, stored: "Mapping[str, Any]") -> Self:
        """An entry in its stored form."""
        named: dict[str, Any] = {name: stored.get(name) for name in cls.model_fields}
        told = {"occurred_at": stored["at"], "actor": stored["by"], "source_key": stored.get("key")}
        return cls(**named | told)


class OverlapResource(OverlapSummary):
    """One group with its events and its log.

    ``proposal`` is the resolution before an event changed (5.9).
    """

    members: list[OverlapMemberResource]
    log: list[OverlapLogEntry]
    resolution: OverlapDecision | None
    proposal: OverlapDecision | None

"""Overlaps: groups of events whose times intersect, and what is decided about them (domain.md 5)."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.domain.overlap_status import OverlapStatus
from shared.schemas.base import Input, Resource, plain
from shared.schemas.window import DatedPageQuery

if TYPE_CHECKING:
    from shared.database.models.overlaps import OverlapGroup

_COLUMNS = ("id", "configuration_id", "status", "member_count", "opened_at", "expires_at", "settled_at")
#: Most events that one resolution names.
MAX_MEMBERS = 1000


class OverlapListQuery(DatedPageQuery):
    """Which groups: of one person, of a configuration, of one status, of a range."""

    user_id: UUID | None = Field(default=None, description="Whose; the caller's own if not given.")
    configuration_id: UUID | None = None
    status: Annotated[OverlapStatus, Field(strict=False)] | None = Field(
        default=None, description="flagged: those that wait for their owner."
    )


class OverlapResolution(Input):
    """What its owner decides: the events that are kept, or all of them although they overlap (5.5).

    Events that are not kept are left out of the archive; one that was archived before keeps its copy and
    does not count as time any more.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"action": "keep", "kept": ["s:AAMkAGI2-workshop"]}]}
    )
    action: Literal["keep", "keep_all"]
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


class OverlapMemberResource(Resource):
    """An event of a group, with its times after modifications; what it is about is null if unknown.

    ``verdict`` is what the policy said (kept, dropped, flagged), ``kept`` what was decided since. Of another
    person's private event only times and ``source_key`` are told (6.3).
    """

    source_key: str
    appointment_id: UUID | None
    start: datetime
    end: datetime
    verdict: str | None
    kept: bool | None
    subject: str | None
    location: str | None
    categories: list[str]
    show_as: str | None
    importance: str | None
    sensitivity: str | None
    organizer: str | None


class OverlapSummary(Resource):
    """A group in a list; ``end`` is the latest end of its events."""

    id: UUID
    user_id: UUID
    configuration_id: UUID
    status: str
    member_count: int
    start: datetime
    end: datetime
    opened_at: datetime
    expires_at: datetime | None
    settled_at: datetime | None

    @classmethod
    def fields_of(cls, group: "OverlapGroup") -> dict[str, Any]:
        """What a summary says of the group."""
        return {name: getattr(group, name) for name in _COLUMNS} | {
            "user_id": group.owner_id,
            "start": group.start_at,
            "end": group.end_at,
        }


class ResolvedOverlap(OverlapSummary):
    """A group that was decided, and the run that carries the decision out; null: one will be queued soon."""

    run_id: UUID | None


class OverlapResource(OverlapSummary):
    """One group with its events and all that rules and people did about it.

    ``proposal`` is the resolution it had before an event changed (5.9).
    """

    members: list[OverlapMemberResource]
    log: list[dict[str, Any]]
    resolution: dict[str, Any] | None
    proposal: dict[str, Any] | None

"""What a finished run reports (domain.md 2.13)."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field

from shared.domain.identity.disclosure import report_for_others, report_for_owner
from shared.schemas.base import Resource

_NOT_TOLD = " Null where it would tell others about private events."
#: Stored numbers whose public name differs.
_STORED = {"source_events": "source"}


class RunReport(Resource):
    """The outcomes of a run's source events, its other results, and its cost.

    Each source event has exactly one outcome: `archived` to `failed` and `private` add up to `source_events`.
    """

    source_events: int = Field(ge=0, description="Source events that belong to the window.")
    archived: int = Field(ge=0, description="Events that got a new copy in the archive calendar.")
    updated: int = Field(ge=0, description="Events whose copy was updated, because the source changed.")
    unchanged: int = Field(ge=0, description="Events whose copy was up to date already.")
    merged: int = Field(
        ge=0, description="Exact duplicates of another event, which share the copy of that event."
    )
    consumed: int = Field(
        ge=0, description="Small events such as “Extended”, which changed the times of their meeting."
    )
    left_out: int = Field(
        ge=0, description="Events that the purpose of the archive, a rule or a resolution leaves out."
    )
    flagged: int = Field(ge=0, description="Events that wait for a decision of their owner.")
    locked: int = Field(
        ge=0, description="Events whose change falls into a locked period; it is not written."
    )
    conflict: int = Field(
        ge=0, description="Events that changed although their owner had edited the copy; the copy stays."
    )
    failed: int = Field(
        ge=0, description="Events that could not be read or written, or whose write has no known result yet."
    )
    private: int | None = Field(
        ge=0,
        description="Private events of another person; they are in none of the outcomes. Null for the person "
        "whose calendar was read.",
    )
    overlaps_resolved: int | None = Field(
        ge=0, description="Overlaps that the policy resolved in this run." + _NOT_TOLD
    )
    overlaps_flagged: int | None = Field(
        ge=0, description="Overlaps that wait for a decision since this run." + _NOT_TOLD
    )
    overlaps_recorded: int | None = Field(
        ge=0, description="Overlaps that were recorded and archived as they are." + _NOT_TOLD
    )
    modifications_applied: int | None = Field(
        ge=0, description="Modification events whose effect went into their meeting." + _NOT_TOLD
    )
    orphan_modifications: int | None = Field(
        ge=0, description="Modification events that belong to no meeting." + _NOT_TOLD
    )
    category_issues: int | None = Field(
        ge=0, description="Events without one clear valid category." + _NOT_TOLD
    )
    source_deleted: int | None = Field(
        ge=0, description="Archived events whose source is gone; their copies stay and still count."
    )
    repointed: int | None = Field(
        ge=0,
        description="Copies that now belong to another source event, which is the same meeting." + _NOT_TOLD,
    )
    ambiguous: int | None = Field(
        ge=0,
        description="Events that several vanished events could be; nobody was asked about them." + _NOT_TOLD,
    )
    superseded: int | None = Field(
        ge=0, description="Copies that another copy replaced; they stay and show as free." + _NOT_TOLD
    )
    margin_updates: int | None = Field(
        ge=0, description="Writes for meetings beside the window that its modifications change." + _NOT_TOLD
    )
    zones_reported: int | None = Field(
        ge=0, description="Events with an unknown time zone; their copies are written in UTC."
    )
    graph_requests: int | None = Field(
        ge=0, description="Requests to Microsoft Graph, those inside a batch included." + _NOT_TOLD
    )
    round_trips: int | None = Field(
        ge=0, description="HTTP round trips to Microsoft Graph; a batch is one." + _NOT_TOLD
    )
    seconds: float | None = Field(ge=0, description="Duration of the run in seconds." + _NOT_TOLD)

    @classmethod
    def of(cls, stored: Mapping[str, Any], *, own: bool) -> Self:
        """The report in its stored form. ``own``: the reader is the person whose events it is about."""
        shown = (report_for_owner if own else report_for_others)(stored)
        named: dict[str, Any] = {name: shown.get(_STORED.get(name, name)) for name in cls.model_fields}
        return cls(**named)

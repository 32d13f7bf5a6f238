"""The dry run of an archive configuration: what a run would do (design.md, Plan)."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from shared.domain.planning.decision import Action
from shared.domain.planning.overlaps import GroupStatus
from shared.domain.planning.purpose import LeftOut
from shared.schemas.base import Resource
from shared.schemas.window import WindowWish


class ArchivePlanQuery(WindowWish):
    """The half-open window ``[window_start, window_end)``; without it, what the next night would archive."""

    limit: Annotated[int, Field(ge=0, le=1000, description="Most events that are named.")] = 200


class PlannedEvent(Resource):
    """What would become of an event; ``archived_start`` and ``archived_end`` where modifications move it.

    Another person's private event shows its times and "Private" alone, whatever would become of it (6.3).
    """

    source_key: str | None
    action: Action | None
    subject: str
    start: datetime
    end: datetime
    archived_start: datetime | None
    archived_end: datetime | None
    merged_into: str | None
    reason_code: LeftOut | None


class PlannedOverlap(Resource):
    """A group of overlapping events and what the policy makes of it."""

    status: GroupStatus
    start: datetime
    end: datetime
    source_keys: list[str]


class ArchivePlan(Resource):
    """What a run of the window would do now. Nothing was written.

    ``outcomes`` are the ten numbers that the run would report (domain.md 2.13), out of ``source_events``.
    Only writing tells which copies their owner edited and what Graph refuses. ``unreadable`` of the failed
    could not be read. ``actions`` are events of the window by action; ``events`` those with anything to do,
    by start, of which ``more`` were left out. ``private`` counts another person's private events: they are in
    no other number.
    ``unseen`` were archived from the window and moved or vanished since. ``series_questions`` is about how
    many changed series their owner would be asked; null where private events of another person may have a
    part in it. ``superseded`` copies would be shown free, since others stand for their meetings.
    """

    window_start: datetime
    window_end: datetime
    source_events: int
    outcomes: dict[str, int]
    unreadable: int
    actions: dict[str, int]
    private: int
    modifications_applied: int
    orphan_modifications: int
    category_issues: int
    unseen: int
    series_questions: int | None
    superseded: int
    overlaps: list[PlannedOverlap]
    events: list[PlannedEvent]
    more: int

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
    """The half-open window ``[window_start, window_end)``. Without it, the next nightly window."""

    limit: Annotated[int, Field(ge=0, le=1000, description="Most events that are named.")] = 200


class PlannedEvent(Resource):
    """What a run would do with an event. ``archived_start`` is set if modifications move it.

    Another person's private event shows only its times and "Private", whatever the run would do with it
    (6.3).
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
    """A group of overlapping events, and the effect of the policy."""

    status: GroupStatus
    start: datetime
    end: datetime
    source_keys: list[str]


class ArchivePlan(Resource):
    """What a run of the window would do now. Nothing was written.

    - ``outcomes`` are the ten numbers of a run's report (domain.md 2.13), out of ``source_events``. Copies
      that their owner edited, and writes that Graph refuses, show only when written.
    - ``unreadable`` of the failed events could not be read.
    - ``actions`` are the events of the window by action.
    - ``events`` are those that a run would change, by start; ``more`` were left out.
    - ``private`` counts another person's private events, which are in no other number.
    - ``unseen`` were archived from the window and moved or vanished since.
    - ``series_questions`` counts the changed series to ask the owner about. null: another person's private
      events may be involved.
    - ``superseded`` copies would be shown free, because other copies replace them.
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

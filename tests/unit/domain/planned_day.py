"""One day planned in tests: the window, the policies, and what comes out by name."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from shared.domain.events.revision import revision
from shared.domain.events.source_event import SourceEvent
from shared.domain.overlaps.rules import OverlapPolicy
from shared.domain.planning.policies import PlanPolicies
from shared.domain.planning.purpose import Purpose
from shared.domain.runs.window import Window
from tests.unit.domain.map_model import (
    MapRows,
    Overlaps,
    Planned,
    plan_all,
)
from tests.unit.domain.source_events import NOON, make_event

WINDOW = Window(datetime(2026, 2, 3, tzinfo=UTC), datetime(2026, 2, 4, tzinfo=UTC), ZoneInfo("UTC"))
FLAG = PlanPolicies(overlap_policy=OverlapPolicy.FLAG)
AUTO = PlanPolicies(overlap_policy=OverlapPolicy.AUTO)
KEEP_ALL = PlanPolicies()
TIMESHEET = PlanPolicies(purpose=Purpose.TIMESHEET, overlap_policy=OverlapPolicy.AUTO)

MEETING = make_event("m")
EXTENSION = make_event("x", NOON + timedelta(hours=1), 0.5, subject="Extended")
LONGER = revision(MEETING, [("s:x", EXTENSION.start, EXTENSION.end)])


def planned(
    *events: SourceEvent,
    rows: MapRows | None = None,
    policies: PlanPolicies = KEEP_ALL,
    overlaps: Overlaps | None = None,
    window: Window = WINDOW,
) -> Planned:
    ordered = sorted(events, key=lambda event: event.start)
    return plan_all(window, [ordered], rows, policies=policies, overlaps=overlaps)


def actions(result: Planned) -> dict[str, str]:
    return {key.removeprefix("s:"): str(decision.action) for key, decision in result.by_key.items()}

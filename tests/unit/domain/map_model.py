"""A model of the map for planner tests: what a run without failures does with its decisions."""

from collections.abc import Iterable, Mapping, Sequence
from copy import replace
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.domain.events.source_event import SourceEvent
from shared.domain.planning.archive_plan import (
    Decision,
    KnownEvent,
    KnownOverlap,
    PlanFindings,
    Planner,
)
from shared.domain.planning.decision import (
    Consume,
    Create,
    EditedByOwner,
    Flag,
    LeaveOut,
    Merge,
    RemovedByOwner,
    Unchanged,
    Update,
    applied_modifications,
    times_of,
)
from shared.domain.planning.overlaps import PlannedGroup
from shared.domain.planning.policies import PlanPolicies
from shared.domain.planning.purpose import LeftOut
from shared.domain.runs.archive_run import RunMode
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.runs.window import Window

type MapRows = dict[str, KnownEvent]
type Overlaps = dict[str, KnownOverlap]

GENERAL = PlanPolicies()
OPENED = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Planned:
    """All that one plan says."""

    decisions: list[Decision]
    groups: list[PlannedGroup]
    findings: PlanFindings
    vanished_groups: frozenset[str]

    @property
    def by_key(self) -> dict[str, Decision]:
        decided = {decision.source_key: decision for decision in self.decisions}
        assert len(decided) == len(self.decisions)
        return decided


def plan_all(
    window: Window,
    pages: Iterable[Sequence[SourceEvent]],
    rows: MapRows | None = None,
    mode: RunMode = RunMode.NORMAL,
    policies: PlanPolicies = GENERAL,
    overlaps: Overlaps | None = None,
) -> Planned:
    """One run over these pages."""
    planner = Planner(window, mode, policies)
    decisions: list[Decision] = []
    groups: list[PlannedGroup] = []
    for page in pages:
        decided = planner.feed(page, rows or {}, overlaps)
        decisions += decided.decisions
        groups += decided.groups
    rest = planner.close()
    assert not rest.undecided
    return Planned(
        [*decisions, *rest.decisions], [*groups, *rest.groups], planner.findings, planner.vanished_groups
    )


def plan(
    window: Window,
    pages: Iterable[Sequence[SourceEvent]],
    rows: MapRows | None = None,
    mode: RunMode = RunMode.NORMAL,
    policies: PlanPolicies = GENERAL,
) -> list[Decision]:
    """All decisions of one run over these pages."""
    return plan_all(window, pages, rows, mode, policies).decisions


def row(key: str, revision: str = "old", **changes: object) -> KnownEvent:
    """A row whose copy is present."""
    present = KnownEvent(key, ArchivedEventState.PRESENT, revision, merged_into=None, pending=False)
    return replace(present, **changes)  # type: ignore[arg-type]


def merged_row(key: str, into: str, revision: str = "old") -> KnownEvent:
    """A row of a duplicate that points to its representative."""
    return row(key, revision, state=ArchivedEventState.MERGED, merged_into=into)


def apply(decisions: Iterable[Decision], rows: MapRows) -> MapRows:
    """The map after every decision was carried out."""
    after = dict(rows)
    for decision in decisions:
        key, revision = decision.source_key, decision.revision
        before = after.get(key)
        match decision:
            case Merge(representative=representative):
                after[key] = merged_row(key, representative, revision)
            case Consume(meeting=meeting):
                after[key] = row(
                    key,
                    revision,
                    state=ArchivedEventState.CONSUMED,
                    merged_into=meeting,
                    has_copy=before is not None and before.archived,
                )
            case LeaveOut(reason=reason):
                after[key] = row(key, revision, state=ArchivedEventState.LEFT_OUT, left_out=reason)
            case Flag():
                after[key] = row(key, revision, state=ArchivedEventState.FLAGGED)
            case Create() | Update():
                after[key] = row(key, revision, modifications=applied_modifications(decision))
            case Unchanged():
                assert before is not None
                if before.state is not ArchivedEventState.SUPERSEDED:
                    after[key] = replace(before, state=ArchivedEventState.PRESENT, merged_into=None)
            case RemovedByOwner() | EditedByOwner():
                pass
    return after


def changes(decision: Decision) -> bool:
    """Whether the decision writes a copy or changes the map."""
    match decision:
        case Create() | Update():
            return True
        case RemovedByOwner() | EditedByOwner():
            return False
        case Unchanged():
            return decision.back
        case _:
            return decision.changed


def stands_for(decision: Decision) -> str | None:
    """The representative of a merged event, or the meeting of a consumed one."""
    match decision:
        case Merge(representative=key) | Consume(meeting=key):
            return key
        case _:
            return None


def reason_of(decision: Decision) -> LeftOut | None:
    """Why the event is left out."""
    return decision.reason if isinstance(decision, LeaveOut) else None


def end_of(decision: Decision) -> datetime | None:
    """The end that modifications give to the event."""
    times = times_of(decision)
    return times.end if times else None


def store(groups: Iterable[PlannedGroup], overlaps: Mapping[str, KnownOverlap]) -> Overlaps:
    """The stored groups after these were written."""
    after = dict(overlaps)
    for group in groups:
        gone = {group.stored_id, *group.absorbed}
        after = {key: known for key, known in after.items() if known.group_id not in gone}
    for group in groups:
        for member in group.members:
            after[member.source_key] = KnownOverlap(group.label, OPENED, len(group.members), member.revision)
    return after

"""How often each rule and each outcome of a decision happened in a world, told from its tables."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from shared.domain.action_items.items import ActionItemStatus, Answer, Question
from shared.domain.overlaps.rules import OverlapRule, Verdict
from shared.domain.overlaps.status import Exclusion, OverlapStatus
from shared.domain.planning.modifications import ModificationKind
from shared.domain.planning.purpose import LeftOut
from shared.domain.planning.same_meeting import MatchStep
from shared.domain.runs.archive_run import OperationAction, OperationState, RunMode
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.runs.outcome import Outcome

type Row = dict[str, Any]

#: The tables that are read for it, in the order of ``fired``'s arguments.
TABLES = (
    *("archive_runs", "archive_operations", "archived_events"),
    *("overlap_groups", "overlap_members", "appointments", "audit_entries", "action_items"),
)
_FOUND = (
    *("overlaps_resolved", "overlaps_flagged", "overlaps_recorded", "modifications_applied"),
    # No zone is reported: the worlds enter events in zones that everybody knows.
    *("orphan_modifications", "category_issues", "source_deleted", "repointed"),
)
# None fails for good: the Graph of a world refuses no write that is right, and none that is wrong is sent.
_WRITTEN = [
    f"operation: {action} {state}"
    for action in (OperationAction.CREATE, OperationAction.UPDATE)
    for state in (OperationState.DONE, OperationState.LOCKED, OperationState.CANCELLED)
]
#: Every rule and outcome that the worlds can reach; one that never fired is shown with 0.
RULES: tuple[str, ...] = (
    *(f"outcome: {outcome}" for outcome in Outcome),
    *(f"found: {name.replace('_', ' ')}" for name in _FOUND),
    *_WRITTEN,
    f"operation: {OperationAction.UPDATE} {OperationState.CONFLICT}",
    *(f"row: {state}" for state in ArchivedEventState if state is not ArchivedEventState.CREATING),
    *(f"left out: {reason}" for reason in LeftOut),
    *(f"overlap: {status}" for status in OverlapStatus),
    *(f"overlap rule: {rule}" for rule in OverlapRule),
    *(f"overlapping event: {verdict}" for verdict in Verdict),
    *(f"modification: {kind}" for kind in ModificationKind),
    *(f"does not count: {exclusion}" for exclusion in Exclusion),
    *(f"same meeting: {step}" for step in MatchStep),
    *(f"asked: {question}" for question in Question),
    *(f"answered: {answer}" for answer in Answer),
    *(f"question: {status}" for status in ActionItemStatus),
    f"operation: {OperationAction.SUPERSEDE} {OperationState.DONE}",
    "duplicate: takes the copy over",
    "appointment: cancelled",
    "appointment: source deleted",
    "appointment: unresolved",
    "automation: sensitivity",
    "automation: showAs",
    *(f"run: {mode}" for mode in RunMode if mode is not RunMode.NORMAL),
)


def fired(
    runs: Iterable[Row],
    operations: Iterable[Row],
    rows: Iterable[Row],
    groups: Iterable[Row],
    members: Iterable[Row],
    appointments: Iterable[Row],
    audit: Iterable[Row],
    items: Iterable[Row],
) -> Counter[str]:
    """How often each rule fired; those of other names than in ``RULES`` are not counted."""
    found: Counter[str] = Counter()
    for run in runs:
        found[f"run: {run['mode']}"] += 1
        report = run["report"] or {}
        for name, value in report.items():
            if isinstance(value, int):
                found[f"outcome: {name}"] += value
                found[f"found: {name.replace('_', ' ')}"] += value
    found.update(f"operation: {one['action']} {one['state']}" for one in operations)
    for row in rows:
        found[f"row: {row['state']}"] += 1
        found[f"left out: {row['left_out']}"] += 1
    for group in groups:
        found[f"overlap: {group['status']}"] += 1
        found.update(f"overlap rule: {step['rule']}" for step in group["log"] if "rule" in step)
    found.update(f"overlapping event: {member['verdict']}" for member in members)
    for entry in audit:
        if entry["action"] == "archived_event.repointed":
            found[f"same meeting: {entry['changes'].get('step')}"] += 1
        found["duplicate: takes the copy over"] += entry["action"] == "archived_event.taken_over"
    for one in appointments:
        found.update(_told_by(one))
    for item in items:
        found[f"asked: {item['question']}"] += 1
        found[f"answered: {item['answer']}"] += 1
        found[f"question: {item['status']}"] += 1
    return Counter({name: found[name] for name in RULES if found[name]})


def _told_by(appointment: Row) -> Iterable[str]:
    yield from (f"modification: {entry['kind']}" for entry in appointment["modifications"])
    yield f"does not count: {appointment['excluded']}"
    for column, name in (
        ("is_cancelled", "appointment: cancelled"),
        ("source_deleted_at", "appointment: source deleted"),
        ("unresolved", "appointment: unresolved"),
    ):
        if appointment[column]:
            yield name
    for column, name in (("sensitivity", "automation: sensitivity"), ("show_as", "automation: showAs")):
        if appointment[f"source_{column}"] not in (None, appointment[column]):
            yield name

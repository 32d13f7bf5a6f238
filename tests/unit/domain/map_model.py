"""A model of the map for planner tests: what a run without failures does with its decisions."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from shared.domain.archive_plan import Action, Decision, KnownEvent, Planner
from shared.domain.archive_run import RunMode
from shared.domain.archived_event import ArchivedEventState
from shared.domain.source_event import SourceEvent
from shared.domain.window import Window

type MapRows = dict[str, KnownEvent]


def plan(
    window: Window,
    pages: Iterable[Sequence[SourceEvent]],
    rows: MapRows | None = None,
    mode: RunMode = RunMode.NORMAL,
) -> list[Decision]:
    """All decisions of one run over these pages."""
    planner = Planner(window, mode)
    decisions = [decision for page in pages for decision in planner.feed(page, rows or {})]
    decisions += planner.close()
    assert not planner.undecided
    return decisions


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
        if decision.action is Action.MERGE:
            assert decision.representative is not None
            after[decision.source_key] = merged_row(
                decision.source_key, decision.representative, decision.revision
            )
        elif decision.action is not Action.REMOVED_BY_OWNER:
            after[decision.source_key] = row(decision.source_key, decision.revision)
    return after

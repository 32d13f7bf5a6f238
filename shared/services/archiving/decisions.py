"""Carries a plan's decisions out page by page: operations, map rows and groups (design.md, Plan)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, assert_never

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.appointments.appointments import AppointmentRepository
from shared.database.repositories.archiving.archived_events import MapRow, SetAside
from shared.domain.events.source_event import SourceEvent
from shared.domain.identity.disclosure import NORMAL
from shared.domain.planning.archive_plan import Decision, PlannedGroup
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
    formerly_of,
)
from shared.domain.runs.archived_event import ArchivedEventState
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.archiving.drafting import OperationDrafter
from shared.services.archiving.overlap_keeping import OverlapKeeper
from shared.services.archiving.superseding import supersede

_ARCHIVED = (ArchivedEventState.PRESENT, ArchivedEventState.SOURCE_DELETED)


@dataclass(frozen=True, slots=True)
class Material:
    """What is known about the events to decide on."""

    #: By source key.
    events: Mapping[str, SourceEvent] = field(default_factory=dict)
    #: By source key.
    rows: Mapping[str, MapRow] = field(default_factory=dict)
    #: The number of attachments, by event id.
    attachments: Mapping[str, int] = field(default_factory=dict)


class PlanWatch(Protocol):
    """Observes a plan while it is made."""

    def met(self, events: Mapping[str, SourceEvent]) -> None:
        """Called with the events that are decided on, by source key."""
        ...

    def counted(self, decision: Decision, by: int, *, unsettled: bool) -> None:
        """Called when a decision about an event of the window counts. ``by`` is -1 when it is withdrawn."""
        ...

    def grouped(self, groups: Sequence[PlannedGroup]) -> None:
        """Called with groups of overlapping events that are complete."""
        ...


class DecisionWriter:
    """Turns decisions into rows. Promotes or discards the drafts of earlier pages."""

    def __init__(
        self,
        ports: ArchivingPorts,
        context: RunContext,
        drafter: OperationDrafter,
        keeper: OverlapKeeper,
        open_keys: frozenset[str],
        watch: PlanWatch | None = None,
    ) -> None:
        self._ports = ports
        self._context = context
        self._drafter = drafter
        self._keeper = keeper
        self._open_keys = open_keys
        self._watch = watch
        #: The counts of domain.md 2.13 that planning knows.
        self.counts: Counter[str] = Counter()
        #: How many of ``counts`` are private events (6.3).
        self.private_counts: Counter[str] = Counter()
        self._private: set[str] = set()
        #: By key: the former representative's key and the decision. That representative is no duplicate any
        #: more.
        self.heirs: dict[str, tuple[str, Create | Flag]] = {}
        #: Decisions that need a body which was not kept, by key.
        self.bodiless: dict[str, Create | Update | Flag] = {}

    def note_private(self, events: Mapping[str, SourceEvent]) -> None:
        """Remember which of these events (by source key) are private. They are also counted separately."""
        self._private |= {key for key, event in events.items() if event.sensitivity != NORMAL}
        if self._watch is not None:
            self._watch.met(events)

    def needing_bodies(self, decisions: Sequence[Decision]) -> set[str]:
        """Keys of the decisions that need the event's body, to write it or to keep it for later."""
        free = self._free(decisions)
        return {d.source_key for d in free if isinstance(d, Create | Update | Flag)}

    async def carry_out(
        self,
        session: AsyncSession,
        decisions: Sequence[Decision],
        material: Material,
        groups: Sequence[PlannedGroup] = (),
    ) -> None:
        """Store the decisions. Events with an operation in flight are counted and left alone."""
        self._count(decisions)
        if self._watch is not None:
            self._watch.grouped(groups)
        await self._keeper.store(session, groups)
        free = self._free(decisions)
        await self._write(session, [d for d in free if isinstance(d, Create | Update)], material)
        await self._flag(session, [d for d in free if isinstance(d, Flag)], material)
        await self._context.operations(session).discard(
            self._context.run_id, [d.source_key for d in decisions if not isinstance(d, Create | Update)]
        )
        await self._map(session, free, material)
        self.heirs |= {
            d.source_key: (d.formerly, d)
            for d in decisions
            if isinstance(d, Create | Flag) and d.formerly is not None
        }

    def _free(self, decisions: Sequence[Decision]) -> list[Decision]:
        return [d for d in decisions if d.source_key not in self._open_keys and formerly_of(d) is None]

    async def _write(
        self, session: AsyncSession, writes: Sequence[Create | Update], material: Material
    ) -> None:
        here = [d for d in writes if d.source_key in material.events]
        await self._drafter.add_planned(session, here, material.events, material.rows, material.attachments)
        elsewhere = {d.source_key: d for d in writes if d.source_key not in material.events}
        await self._drafter.retime(session, list(elsewhere.values()))
        operations = self._context.operations(session)
        promoted = await operations.promote(self._context.run_id, list(elsewhere))
        self.bodiless |= {key: d for key, d in elsewhere.items() if key not in promoted}

    async def _flag(self, session: AsyncSession, flags: Sequence[Flag], material: Material) -> None:
        """Store the appointment of each flagged event now, because its source may vanish (domain.md 5.3)."""
        overlaps = self._context.overlaps(session)
        wanted = set(await overlaps.unrecorded([d.source_key for d in flags]))
        here = [d for d in flags if d.source_key in wanted and d.source_key in material.events]
        await overlaps.set_records(
            {
                d.source_key: self._drafter.record_of(d, material.events[d.source_key], material.attachments)
                for d in here
            }
        )
        elsewhere = [d for d in flags if d.source_key in wanted and d.source_key not in material.events]
        await self._drafter.retime(session, elsewhere)
        await overlaps.keep_records(self._context.run_id, [d.source_key for d in elsewhere])
        missing = set(await overlaps.unrecorded([d.source_key for d in elsewhere]))
        self.bodiless |= {d.source_key: d for d in elsewhere if d.source_key in missing}

    async def _map(self, session: AsyncSession, free: Sequence[Decision], material: Material) -> None:
        now = self._ports.clock.now()
        archived_events = self._context.archived_events(session)
        merges = {
            d.source_key: (d.representative, d.revision) for d in free if isinstance(d, Merge) and d.changed
        }
        await archived_events.merge(merges, now)
        aside = [
            self._set_aside(d, material)
            for d in free
            if isinstance(d, Consume | LeaveOut | Flag) and d.changed
        ]
        appointments = AppointmentRepository(session)
        consumed = await archived_events.set_aside(aside, now)
        await appointments.mark_consumed(self._context.owner_id, consumed)
        await self._show_free(session, [each for each in aside if each.state is ArchivedEventState.CONSUMED])
        again = [d.source_key for d in free if isinstance(d, Unchanged) and d.changed]
        back = await archived_events.set_present(again, now)
        await appointments.mark_source_present(self._context.owner_id, back)

    async def _show_free(self, session: AsyncSession, modifications: Sequence[SetAside]) -> None:
        """Show copies of modifications as free if they were archived before their meetings appeared (4.6)."""
        meetings = {each.source_key: each.merged_into for each in modifications if each.merged_into}
        rows = await self._context.archived_events(session).by_keys(sorted(meetings)) if meetings else {}
        archived = [key for key, row in rows.items() if row.copy_id is not None and row.state in _ARCHIVED]
        if archived:
            await supersede(session, self._context, self._drafter, archived, meetings)

    def _set_aside(self, decision: Consume | LeaveOut | Flag, material: Material) -> SetAside:
        event = material.events.get(decision.source_key)
        start = None if event is None else self._context.owning_start(event)
        set_aside = partial(SetAside, decision.source_key, revision=decision.revision, start_at=start)
        match decision:
            case Consume(meeting=meeting):
                return set_aside(state=ArchivedEventState.CONSUMED, merged_into=meeting)
            case LeaveOut(reason=reason):
                return set_aside(state=ArchivedEventState.LEFT_OUT, left_out=reason)
            case Flag():
                return set_aside(state=ArchivedEventState.FLAGGED)

    def keep_merged(self, heir: Create | Flag, representative: str) -> None:
        """Keep the event merged. It is unknown whether the duplicate that has its copy is gone."""
        self._count([Merge(heir.source_key, heir.revision, representative, changed=False)])

    def take_back(self, decision: Decision) -> None:
        """Withdraw a decision: what it counted is subtracted."""
        self._count([decision], -1)

    def _count(self, decisions: Sequence[Decision], by: int = 1) -> None:
        for decision in decisions:
            # Heirs are counted when they are decided again. A meeting of the margin belongs to another
            # window.
            if formerly_of(decision) is not None or decision.margin:
                continue
            self.counts["source"] += by
            unsettled = decision.source_key in self._open_keys
            counted = "unsettled" if unsettled else _counted_as(decision)
            self.counts[counted] += by
            if self._watch is not None:
                self._watch.counted(decision, by, unsettled=unsettled)
            if decision.source_key in self._private:
                self.private_counts[counted] += by


def _counted_as(decision: Decision) -> str:
    match decision:
        case Create() | Update():
            return "planned"
        case Unchanged():
            return "unchanged"
        case Merge():
            return "merged"
        case RemovedByOwner() | EditedByOwner():
            return "conflict"
        case Consume():
            return "consumed"
        case LeaveOut():
            return "left_out"
        case Flag():
            return "flagged"
        case _:
            assert_never(decision)

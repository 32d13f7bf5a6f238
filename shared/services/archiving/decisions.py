"""Writes what was drafted for decisions: operations, records and map rows (design.md, Plan)."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, assert_never

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.appointments.appointments import AppointmentRepository
from shared.database.repositories.archiving.archive_operations import DraftRow, OperationRow
from shared.domain.copies.archive_copy import retimed_copy
from shared.domain.events.source_event import SourceEvent
from shared.domain.identity.disclosure import NORMAL
from shared.domain.planning.archive_plan import Decision, PlannedGroup
from shared.domain.planning.decision import (
    Consume,
    Create,
    EditedByOwner,
    Flag,
    Heir,
    LeaveOut,
    Merge,
    RemovedByOwner,
    Unchanged,
    Update,
)
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.archiving.drafting import Drafted


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
    """Stores decisions, and counts them. Promotes or discards the drafts of earlier pages."""

    def __init__(
        self,
        ports: ArchivingPorts,
        context: RunContext,
        open_keys: Collection[str],
        watch: PlanWatch | None = None,
    ) -> None:
        self._ports = ports
        self._context = context
        self._open_keys = open_keys
        self._watch = watch
        #: The counts of domain.md 2.13 that planning knows.
        self.counts: Counter[str] = Counter()
        #: How many of ``counts`` are private events (6.3).
        self.private_counts: Counter[str] = Counter()
        self._private: set[str] = set()

    async def write(self, session: AsyncSession, drafted: Drafted) -> dict[str, Create | Update | Flag]:
        """Store what was drafted. Events with an operation in flight are only counted.

        Returns, by source key, the decisions that need a body which was not kept.
        """
        self._private |= {key for key, event in drafted.met.items() if event.sensitivity != NORMAL}
        if self._watch is not None:
            self._watch.met(drafted.met)
        self._count(drafted.decisions)
        operations = self._context.operations(session)
        await operations.add(self._context.run_id, drafted.drafts)
        await operations.add(self._context.run_id, drafted.planned)
        bodiless = await self._promote(session, drafted.elsewhere) | await self._flag(session, drafted)
        await operations.discard(
            self._context.run_id,
            [d.source_key for d in drafted.decisions if not isinstance(d, Create | Update)],
        )
        await self._map(session, drafted)
        return bodiless

    async def write_recorded(self, session: AsyncSession, planned: Sequence[OperationRow]) -> None:
        """Store copies of events whose source is gone (domain.md 5.8)."""
        await self._context.operations(session).add(self._context.run_id, planned)
        self.counts["source"] += len(planned)
        self.counts["planned"] += len(planned)

    async def _promote(
        self, session: AsyncSession, writes: Sequence[Create | Update]
    ) -> dict[str, Create | Update | Flag]:
        """Plan the drafts of earlier pages. Returns the writes without a draft."""
        await self._retime(session, writes)
        keys = [write.source_key for write in writes]
        promoted = await self._context.operations(session).promote(self._context.run_id, keys)
        return {write.source_key: write for write in writes if write.source_key not in promoted}

    async def _flag(self, session: AsyncSession, drafted: Drafted) -> dict[str, Create | Update | Flag]:
        """Store the appointment of each flagged event now, because its source may vanish (domain.md 5.3).

        Returns the flags without a draft.
        """
        overlaps = self._context.overlaps(session)
        wanted = set(await overlaps.unrecorded([flag.source_key for flag in drafted.flags]))
        await overlaps.set_records({key: each for key, each in drafted.records.items() if key in wanted})
        elsewhere = {
            flag.source_key: flag
            for flag in drafted.flags
            if flag.source_key in wanted and flag.source_key not in drafted.records
        }
        await self._retime(session, list(elsewhere.values()))
        await overlaps.keep_records(self._context.run_id, list(elsewhere))
        missing = await overlaps.unrecorded(list(elsewhere))
        return {key: elsewhere[key] for key in missing}

    async def _retime(self, session: AsyncSession, decisions: Sequence[Create | Update | Flag]) -> None:
        """Update drafts with the times that modifications have given to their events since (domain.md 4)."""
        operations = self._context.operations(session)
        wanted = {each.source_key: (each, each.times) for each in decisions if each.times is not None}
        drafts = await operations.drafts(self._context.run_id, list(wanted))
        rows: list[DraftRow] = []
        for key, draft in drafts.items():
            decision, times = wanted[key]
            payload, record = retimed_copy(
                draft.payload, draft.record, times.start, times.end, decision.revision, times.modifications
            )
            row = DraftRow(source_key=key, payload=payload.body, record=record, revision=decision.revision)
            rows.append(row)
        await operations.rewrite(self._context.run_id, rows)

    async def _map(self, session: AsyncSession, drafted: Drafted) -> None:
        now = self._ports.clock.now()
        archived_events = self._context.archived_events(session)
        await archived_events.merge(drafted.merges, now)
        appointments = AppointmentRepository(session)
        consumed = await archived_events.set_aside(drafted.aside, now)
        await appointments.mark_consumed(self._context.owner_id, consumed)
        back = await archived_events.set_present(drafted.present, now)
        await appointments.mark_source_present(self._context.owner_id, back)

    def keep_merged(self, heir: Heir, representative: str) -> None:
        """Keep the event merged. It is unknown whether the duplicate that has its copy is gone."""
        self._count([Merge(heir.source_key, heir.revision, representative, changed=False)])

    def take_back(self, decision: Decision) -> None:
        """Withdraw a decision: what it counted is subtracted."""
        self._count([decision], -1)

    def _count(self, decisions: Sequence[Decision], by: int = 1) -> None:
        for decision in decisions:
            # Heirs are counted when they are decided again. A meeting of the margin belongs to another
            # window.
            heir = isinstance(decision, Create | Flag | LeaveOut) and decision.formerly is not None
            if heir or decision.margin:
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

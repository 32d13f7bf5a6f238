"""Materialises decisions: the rows to store, with the bodies that will be written (design.md, Plan).

The drafter reads only what a copy needs beside its event: how many attachments there are. It stores nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import replace
from dataclasses import dataclass, field
from functools import partial
from uuid import uuid4

from shared.database.repositories.archiving.archive_operations import OperationRow
from shared.database.repositories.archiving.archived_events import MapRow, SetAside
from shared.domain.appointments.appointment_record import AppointmentRecord, appointment_record
from shared.domain.copies.archive_copy import CopyPayload, copy_payload
from shared.domain.events.revision import modified_revision, revision, superseded_revision
from shared.domain.events.source_event import SourceEvent, archive_key
from shared.domain.planning.archive_plan import Decided, Decision, KnownEvent
from shared.domain.planning.decision import (
    Consume,
    Create,
    Flag,
    Heir,
    LeaveOut,
    Merge,
    Update,
    applied_modifications,
    own_row,
)
from shared.domain.planning.event_facts import as_shown
from shared.domain.planning.modifications import Modification
from shared.domain.planning.purpose import LeftOut
from shared.domain.runs.archive_run import OperationAction, OperationState, RunMode
from shared.domain.runs.archived_event import ArchivedEventState
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.archiving.read_page import ReadPage, known_event

_BY_PURPOSE = (LeftOut.FREE, LeftOut.PERSONAL, LeftOut.INVALID_CATEGORY)


def applied_revision(event: SourceEvent, modifications: Sequence[Modification]) -> str:
    """The revision of an event after these modifications were applied (domain.md 2.4)."""
    return modified_revision(revision(event), [(each.key, each.start, each.end) for each in modifications])


@dataclass(frozen=True, slots=True)
class Material:
    """The events of one page, or read by id, that decisions are made about."""

    #: All of them, by source key.
    met: Mapping[str, SourceEvent] = field(default_factory=dict)
    #: By source key: those to be archived as they are here. Other bodies are drafts of earlier pages.
    events: Mapping[str, SourceEvent] = field(default_factory=dict)
    #: By source key.
    rows: Mapping[str, MapRow] = field(default_factory=dict)
    #: By source key: events without a decision whose bodies a later one will probably need.
    held: Mapping[str, SourceEvent] = field(default_factory=dict)
    #: The number of attachments, by event id.
    attachments: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drafted:
    """What is stored for some decisions."""

    decisions: Sequence[Decision]
    #: The events of the page, by source key.
    met: Mapping[str, SourceEvent]
    #: Bodies that are kept for later decisions.
    drafts: list[OperationRow]
    planned: list[OperationRow]
    #: Writes whose bodies are drafts of earlier pages.
    elsewhere: list[Create | Update]
    flags: list[Flag]
    #: The appointments of flagged events, by source key, as far as their bodies are here.
    records: dict[str, AppointmentRecord]
    #: By source key: the representative and the event's own revision.
    merges: dict[str, tuple[str, str]]
    aside: list[SetAside]
    #: Source keys of rows that have their own copies again.
    present: list[str]
    #: By source key: decisions to repeat after the former representative was looked up.
    heirs: dict[str, Heir]


class OperationDrafter:
    """Builds the rows of one run. It numbers the operations and counts the zones that copies cannot keep."""

    def __init__(self, ports: ArchivingPorts, context: RunContext, open_keys: Collection[str] = ()) -> None:
        """Nothing is built for ``open_keys``, because they have a write in flight."""
        self._ports = ports
        self._context = context
        self._open_keys = open_keys
        self._position = 0
        self.zones_reported = 0

    async def gather(self, page: ReadPage, decided: Decided, waiting: Collection[str] = ()) -> Material:
        """Choose the events whose bodies are needed, now or probably later, and count their attachments.

        ``waiting`` are events that earlier pages showed and this page decided. If one differs from its
        decision, it moved while the pages were read. It is archived as an earlier page showed it.
        """
        met = {key: read.event for key, read in page.reads.items()}
        moved = {
            each.source_key
            for each in decided.decisions
            if each.source_key in waiting
            and (event := met.get(each.source_key)) is not None
            and applied_revision(event, applied_modifications(each)) != each.revision
        }
        here = {key: event for key, event in met.items() if key not in moved}
        held = {
            key: event
            for key, event in here.items()
            if key in decided.undecided
            and key not in self._open_keys
            and _needs_body(page.known.get(key), event, self._context.mode)
        }
        needed = [
            here[each.source_key]
            for each in self._free(decided.decisions, decided.heirs)
            if isinstance(each, Create | Update | Flag) and each.source_key in here
        ]
        attachments = await self._attachments([*needed, *held.values()])
        return Material(met, here, page.rows, held, attachments)

    async def _attachments(self, events: Iterable[SourceEvent]) -> dict[str, int]:
        """The number of attachments by event id, asked only for events that have any (domain.md 2.6)."""
        ids = [event.id for event in events if event.has_attachments]
        if not ids:
            return {}
        return await self._ports.calendars.in_tenant(self._context.tenant_id).count_attachments(
            self._context.source_mailbox, ids
        )

    def draft(self, decided: Decided, material: Material) -> Drafted:
        """The rows of these decisions. Decisions that wait for what became of a former key have none yet."""
        heirs = decided.heirs
        free = self._free(decided.decisions, heirs)
        writes = [each for each in free if isinstance(each, Create | Update)]
        flags = [each for each in free if isinstance(each, Flag)]
        aside = [each for each in free if isinstance(each, Consume | LeaveOut | Flag) and each.changed]
        likely = [_likely(key, event, material.rows.get(key)) for key, event in material.held.items()]
        return Drafted(
            decided.decisions,
            material.met,
            [self._row(each, material.held, material, OperationState.DRAFT) for each in likely],
            [
                self._row(each, material.events, material, OperationState.PLANNED)
                for each in writes
                if each.source_key in material.events
            ],
            [each for each in writes if each.source_key not in material.events],
            flags,
            {
                each.source_key: self._record(each, event, self._shown(each, event), material.attachments)
                for each in flags
                if (event := material.events.get(each.source_key)) is not None
            },
            {
                each.source_key: (each.representative, each.revision)
                for each in free
                if isinstance(each, Merge) and each.changed
            },
            [self._set_aside(each, material.events.get(each.source_key)) for each in aside],
            [each.source_key for each in free if each.back],
            heirs,
        )

    def recorded(
        self, records: Mapping[str, AppointmentRecord], rows: Mapping[str, MapRow]
    ) -> list[OperationRow]:
        """Creates of copies whose source is gone, from our record of them (domain.md 5.8)."""
        planned: list[OperationRow] = []
        for key, record in records.items():
            row = rows[key]
            consumed_by = row.merged_into if row.state is ArchivedEventState.CONSUMED else None
            superseded = row.state is ArchivedEventState.SUPERSEDED or consumed_by is not None
            event = record.event(row.source_id, row.original_start)
            payload = self._payload(event, key, row, record.revision, create=True, superseded=superseded)
            written = replace(record, superseded=superseded, consumed_by=consumed_by)
            planned.append(self._operation(key, OperationAction.CREATE, payload, written))
        return planned

    def superseding(self, superseded: Mapping[str, tuple[MapRow, AppointmentRecord]]) -> list[OperationRow]:
        """Writes that show copies as free and marked superseded, because other copies replace them (2.16).

        The argument has the row and its record by source key. When the write is done, the row becomes
        ``superseded`` and counts no time. The operation belongs to no event of the run, so it is counted
        beside the report.
        """
        planned: list[OperationRow] = []
        for key, (row, recorded) in superseded.items():
            content = superseded_revision(row.revision)
            record = replace(recorded, show_as="free", revision=content, superseded=True)
            event = record.event(row.source_id, row.original_start)
            payload = self._payload(event, key, row, content, create=False, superseded=True)
            planned.append(self._operation(key, OperationAction.SUPERSEDE, payload, record, margin=True))
        return planned

    def _free(self, decisions: Sequence[Decision], heirs: Collection[str]) -> list[Decision]:
        return [d for d in decisions if d.source_key not in self._open_keys and d.source_key not in heirs]

    def _set_aside(self, decision: Consume | LeaveOut | Flag, event: SourceEvent | None) -> SetAside:
        start = None if event is None else self._context.window.owning_start(event)
        set_aside = partial(SetAside, decision.source_key, revision=decision.revision, start_at=start)
        match decision:
            case Consume(meeting=meeting):
                return set_aside(state=ArchivedEventState.CONSUMED, merged_into=meeting)
            case LeaveOut(reason=reason):
                return set_aside(state=ArchivedEventState.LEFT_OUT, left_out=reason)
            case Flag():
                return set_aside(state=ArchivedEventState.FLAGGED)

    def _shown(self, decision: Create | Update | Flag, event: SourceEvent) -> SourceEvent:
        return as_shown(event, decision.times, self._context.policies)

    def _record(
        self,
        decision: Create | Update | Flag,
        event: SourceEvent,
        shown: SourceEvent,
        attachments: Mapping[str, int],
    ) -> AppointmentRecord:
        """What our record will say about the event, as decided."""
        record = appointment_record(
            shown,
            attachments.get(event.id, 0),
            source=event,
            modifications=decision.times.modifications if decision.times else (),
        )
        return replace(
            record, revision=decision.revision, owning_start=self._context.window.owning_start(event)
        )

    def _row(
        self,
        decision: Create | Update,
        events: Mapping[str, SourceEvent],
        material: Material,
        state: OperationState,
    ) -> OperationRow:
        key = decision.source_key
        event, create = events[key], isinstance(decision, Create)
        shown = self._shown(decision, event)
        payload = self._payload(shown, key, material.rows.get(key), decision.revision, create=create)
        record = self._record(decision, event, shown, material.attachments)
        action = OperationAction.CREATE if create else OperationAction.UPDATE
        return self._operation(key, action, payload, record, margin=decision.margin, state=state)

    def _payload(
        self,
        event: SourceEvent,
        key: str,
        row: MapRow | None,
        content: str,
        *,
        create: bool,
        superseded: bool = False,
    ) -> CopyPayload:
        configuration_id = self._context.configuration_id
        payload = copy_payload(
            event,
            configuration_id=configuration_id,
            archive_key=row.archive_key if row else archive_key(configuration_id, key),
            source_key=key,
            revision=content,
            generation=row.generation if row else 0,
            create=create,
            superseded=superseded,
        )
        self.zones_reported += payload.zone_reported
        return payload

    def _operation(
        self,
        key: str,
        action: OperationAction,
        payload: CopyPayload,
        record: AppointmentRecord,
        *,
        margin: bool = False,
        state: OperationState = OperationState.PLANNED,
    ) -> OperationRow:
        self._position += 1
        return {
            "id": str(uuid4()),
            "position": self._position,
            "source_key": key,
            "action": str(action),
            "margin": margin,
            "state": str(state),
            "payload": payload.body,
            "record": record,
            "revision": record.revision,
        }


def _likely(key: str, event: SourceEvent, row: MapRow | None) -> Create | Update:
    """The probable write for the event, without modifications that may still follow."""
    known = own_row(known_event(row)) if row is not None else None
    # A removed copy is written once more if it must be replaced (domain.md 2.10).
    removed = known is not None and known.state is ArchivedEventState.REMOVED_BY_OWNER and known.has_copy
    archived = known is not None and (known.stands or removed)
    return Update(key, revision(event)) if archived else Create(key, revision(event))


def _needs_body(known: KnownEvent | None, event: SourceEvent, mode: RunMode) -> bool:
    """Whether a decision about the event will probably need its body, to write it or to keep it.

    If the guess is wrong, the event is read again by id.
    """
    if known is None or known.pending or mode is RunMode.REPLACE:
        return True
    current = applied_revision(event, known.modifications)
    if known.state is ArchivedEventState.LEFT_OUT and known.left_out in _BY_PURPOSE:
        return known.revision != current
    return not known.stands or current not in (known.revision, known.conflict_revision)

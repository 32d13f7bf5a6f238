"""Builds operations as rows, with the bodies that will be written (design.md, Plan)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.archiving.archive_operations import DraftRow, OperationRow
from shared.database.repositories.archiving.archived_events import MapRow
from shared.domain.copies.archive_copy import (
    CopyPayload,
    appointment_record,
    copy_payload,
    recorded_event,
    retimed_copy,
)
from shared.domain.events.revision import modified_revision, revision, superseded_revision
from shared.domain.events.source_event import SourceEvent, archive_key
from shared.domain.planning.archive_plan import Decision, KnownEvent, Planner
from shared.domain.planning.decision import (
    Create,
    Flag,
    Update,
    applied_modifications,
    as_decided,
    compare_again,
    own_row,
    times_of,
)
from shared.domain.planning.event_facts import automated
from shared.domain.planning.modifications import Modification
from shared.domain.planning.purpose import LeftOut
from shared.domain.planning.read_event import ReadEvent
from shared.domain.runs.archive_run import OperationAction, OperationState, RunMode
from shared.domain.runs.archived_event import ArchivedEventState
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.archiving.matching import known_event

_TIMES = ("start_at", "end_at", "source_start_at", "source_end_at")
_BY_PURPOSE = (LeftOut.FREE, LeftOut.PERSONAL, LeftOut.INVALID_CATEGORY)


def needs_body(known: KnownEvent | None, event: SourceEvent, mode: RunMode) -> bool:
    """Whether a decision about the event will probably need its body, to write it or to keep it.

    If the guess is wrong, the event is read again by id.
    """
    if known is None or known.pending or mode is RunMode.REPLACE:
        return True
    current = applied_revision(event, known.modifications)
    if known.state is ArchivedEventState.LEFT_OUT and known.left_out in _BY_PURPOSE:
        return known.revision != current
    return not known.archived or current not in (known.revision, known.conflict_revision)


def applied_revision(event: SourceEvent, modifications: Sequence[Modification]) -> str:
    """The revision of an event after these modifications were applied (domain.md 2.4)."""
    return modified_revision(revision(event), [(each.key, each.start, each.end) for each in modifications])


@dataclass(frozen=True, slots=True)
class Body:
    """An operation's content for one event: request body, record and revision."""

    payload: CopyPayload
    record: dict[str, Any]
    revision: str


class OperationDrafter:
    """Builds the rows of operations and of new map entries for one run."""

    def __init__(self, ports: ArchivingPorts, context: RunContext) -> None:
        self._ports = ports
        self._context = context
        self._position = 0
        self.zones_reported = 0

    async def count_attachments(self, events: Iterable[SourceEvent]) -> dict[str, int]:
        """The number of attachments by event id, asked only for events that have any (domain.md 2.6)."""
        ids = [event.id for event in events if event.has_attachments]
        if not ids:
            return {}
        return await self._ports.calendars.in_tenant(self._context.tenant_id).count_attachments(
            self._context.source_mailbox, ids
        )

    async def add_map_rows(
        self, session: AsyncSession, events: Mapping[str, SourceEvent]
    ) -> dict[str, MapRow]:
        """Add map rows for events seen for the first time. This fixes their key and their copy's key (2.3).

        Returns the rows whose copy's key differs from the key derived from their source key.
        """
        rows = [
            {
                "source_key": key,
                "source_id": event.id,
                "ical_uid": event.ical_uid,
                "original_start": (event.original_start or event.start).isoformat(),
                "state": str(ArchivedEventState.CREATING),
                "start_at": self._context.owning_start(event).isoformat(),
                "series_id": event.series_master_id,
                "entered_by": str(self._context.run_id),
            }
            for key, event in events.items()
        ]
        return await self._context.archived_events(session).add(rows)

    async def add_planned(
        self,
        session: AsyncSession,
        decisions: Sequence[Create | Update],
        events: Mapping[str, SourceEvent],
        rows: Mapping[str, MapRow],
        attachments: Mapping[str, int],
    ) -> None:
        """Plan the decided writes."""
        await self._add(
            session,
            OperationState.PLANNED,
            [
                self._row(decision, events[decision.source_key], rows.get(decision.source_key), attachments)
                for decision in decisions
            ],
        )

    async def add_drafts(
        self,
        session: AsyncSession,
        held: Mapping[str, SourceEvent],
        rows: Mapping[str, MapRow],
        attachments: Mapping[str, int],
    ) -> None:
        """Keep the bodies of events that are not decided yet."""
        await self._add(
            session,
            OperationState.DRAFT,
            [
                self._row(_likely(key, event, rows.get(key)), event, rows.get(key), attachments)
                for key, event in held.items()
            ],
        )

    async def add_recorded(
        self, session: AsyncSession, records: Mapping[str, Mapping[str, Any]], rows: Mapping[str, MapRow]
    ) -> None:
        """Plan copies of events whose source is gone, from our record of them (domain.md 5.8)."""
        planned: list[OperationRow] = []
        for key, record in records.items():
            row, content = rows[key], record["revision"]
            superseded = row.state is ArchivedEventState.SUPERSEDED
            event = recorded_event(record, row.source_id, row.original_start)
            payload = self._payload(event, key, row, content, create=True, superseded=superseded)
            self.zones_reported += payload.zone_reported
            body = Body(payload, {"source_gone": True, **record, "superseded": superseded}, content)
            planned.append(self._operation(key, OperationAction.CREATE, body, margin=False))
        await self._add(session, OperationState.PLANNED, planned)

    async def add_superseding(
        self, session: AsyncSession, superseded: Mapping[str, tuple[MapRow, Mapping[str, Any]]]
    ) -> None:
        """Plan to show copies as free and marked superseded, because other copies replace them (2.16).

        The argument has, by source key, the row and its record as ``AppointmentRepository.recorded`` returns
        it. Plans call this through ``superseding.py``. When the write is done, the row becomes ``superseded``
        and counts no time. The operation belongs to no event of the run, so it is counted beside the report.
        """
        planned: list[OperationRow] = []
        for key, (row, recorded) in superseded.items():
            content = superseded_revision(row.revision)
            times = {name: _iso(recorded[name]) for name in _TIMES}
            record = {**recorded, **times, "show_as": "free", "revision": content, "superseded": True}
            event = recorded_event(record, row.source_id, row.original_start)
            payload = self._payload(event, key, row, content, create=False, superseded=True)
            self.zones_reported += payload.zone_reported
            body = Body(payload, record, content)
            planned.append(self._operation(key, OperationAction.SUPERSEDE, body, margin=True))
        await self._add(session, OperationState.PLANNED, planned)

    async def retime(self, session: AsyncSession, decisions: Sequence[Create | Update | Flag]) -> None:
        """Update drafts with the times that modifications have given to their events since (domain.md 4)."""
        operations = self._context.operations(session)
        wanted = {each.source_key: (each, times) for each in decisions if (times := times_of(each))}
        drafts = await operations.drafts(self._context.run_id, list(wanted))
        rows: list[DraftRow] = []
        for key, draft in drafts.items():
            decision, times = wanted[key]
            payload, record = retimed_copy(
                draft["payload"],
                draft["record"],
                times.start,
                times.end,
                decision.revision,
                times.modifications,
            )
            rows.append(
                {
                    "source_key": key,
                    "payload": payload.body,
                    "record": record | {"revision": decision.revision},
                    "revision": decision.revision,
                }
            )
        await operations.rewrite(self._context.run_id, rows)

    def decide_again(self, row: MapRow, event: ReadEvent, mode: RunMode) -> Decision:
        """Decide again for an event whose row now belongs to another event."""
        planner = Planner(self._context.window, mode, self._context.policies)
        return planner.decide_single(event, known_event(row))

    def decide_heir(self, decided: Create | Flag, row: MapRow, event: ReadEvent, mode: RunMode) -> Decision:
        """Compare the first decision, with its modifications, with the row as it is now.

        If the heir now has the copy, it is archived already. Without a copy, it waits until its overlap is
        resolved (5.3). If the event changed since, it is decided alone. The next run sees it together with
        the others.
        """
        if applied_revision(event.event, applied_modifications(decided)) != decided.revision:
            return self.decide_again(row, event, mode)
        if isinstance(decided, Flag) and row.copy_id is None:
            return replace(decided, formerly=None)
        return compare_again(decided, known_event(row), mode)

    def record_of(self, decision: Flag, event: SourceEvent, attachments: Mapping[str, int]) -> dict[str, Any]:
        """What our record will say about the event, as decided. Times are ISO 8601."""
        return self._record(decision, event, self._shown(decision, event), attachments)

    def _shown(self, decision: Create | Update | Flag, event: SourceEvent) -> SourceEvent:
        return automated(as_decided(event, decision), self._context.policies)

    def _record(
        self,
        decision: Create | Update | Flag,
        event: SourceEvent,
        shown: SourceEvent,
        attachments: Mapping[str, int],
    ) -> dict[str, Any]:
        return appointment_record(
            shown, attachments.get(event.id, 0), source=event, modifications=applied_modifications(decision)
        ) | {
            "revision": decision.revision,
            "owning_start": self._context.owning_start(event).isoformat(),
        }

    async def _add(self, session: AsyncSession, state: OperationState, rows: Sequence[OperationRow]) -> None:
        for row in rows:
            row["state"] = str(state)
        await self._context.operations(session).add(self._context.run_id, rows)

    def _row(
        self,
        decision: Create | Update,
        event: SourceEvent,
        row: MapRow | None,
        attachments: Mapping[str, int],
    ) -> OperationRow:
        key = decision.source_key
        shown = self._shown(decision, event)
        create = isinstance(decision, Create)
        payload = self._payload(shown, key, row, decision.revision, create=create)
        self.zones_reported += payload.zone_reported
        body = Body(payload, self._record(decision, event, shown, attachments), decision.revision)
        action = OperationAction.CREATE if create else OperationAction.UPDATE
        return self._operation(key, action, body, margin=decision.margin)

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
        return copy_payload(
            event,
            configuration_id=configuration_id,
            archive_key=row.archive_key if row else archive_key(configuration_id, key),
            source_key=key,
            revision=content,
            generation=row.generation if row else 0,
            create=create,
            superseded=superseded,
        )

    def _operation(self, key: str, action: OperationAction, body: Body, *, margin: bool) -> OperationRow:
        self._position += 1
        return {
            "id": str(uuid4()),
            "position": self._position,
            "source_key": key,
            "action": str(action),
            "margin": margin,
            "state": str(OperationState.DRAFT),
            "payload": body.payload.body,
            "record": body.record,
            "revision": body.revision,
        }


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def _likely(key: str, event: SourceEvent, row: MapRow | None) -> Create | Update:
    """The probable write for the event, without modifications that may still follow."""
    known = own_row(known_event(row)) if row is not None else None
    # A removed copy is written once more if it must be replaced (domain.md 2.10).
    removed = known is not None and known.state is ArchivedEventState.REMOVED_BY_OWNER and known.has_copy
    archived = known is not None and (known.archived or removed)
    return Update(key, revision(event)) if archived else Create(key, revision(event))

"""Operations in the making: the bodies that will be written, as rows (design.md, Plan)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.archived_events import MapRow
from shared.domain.archive_copy import appointment_record, copy_payload
from shared.domain.archive_plan import Action, Decision, Planner, PlanPolicies
from shared.domain.archive_run import OperationAction, OperationState, RunMode
from shared.domain.archived_event import ArchivedEventState
from shared.domain.revision import revision
from shared.domain.source_event import SourceEvent, archive_key
from shared.domain.window import local_day_start
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.archiving.matching import known_event

# Every event is archived as it stands in the source; overlapping events are all kept.
POLICIES = PlanPolicies(modifications=False)

_WITHOUT_COPY = (
    ArchivedEventState.CREATING,
    ArchivedEventState.MERGED,
    ArchivedEventState.REMOVED_BY_OWNER,
)


def needs_write(row: MapRow | None, event: SourceEvent, mode: RunMode) -> bool:
    """Whether any decision about the event can lead to a write."""
    return (
        row is None
        or row.state in _WITHOUT_COPY
        or row.copy_id is None
        or row.pending_since is not None
        or mode is RunMode.REPLACE
        or row.revision != revision(event)
    )


class OperationDrafter:
    """Builds the rows of operations and of new map entries for one run."""

    def __init__(self, ports: ArchivingPorts, context: RunContext) -> None:
        self._ports = ports
        self._context = context
        self._position = 0
        self.zones_reported = 0

    async def count_attachments(self, events: Iterable[SourceEvent]) -> dict[str, int]:
        """The number of attachments by event id, asked only where there are any (domain.md 2.6)."""
        ids = [event.id for event in events if event.has_attachments]
        if not ids:
            return {}
        return await self._ports.calendars.count_attachments(self._context.source_mailbox, ids)

    async def add_map_rows(self, session: AsyncSession, events: Mapping[str, SourceEvent]) -> None:
        """Enter events seen for the first time: their key and their copy's key are fixed now (2.3)."""
        rows = [
            {
                "id": str(uuid4()),
                "source_key": key,
                "archive_key": archive_key(self._context.configuration_id, key),
                "source_id": event.id,
                "ical_uid": event.ical_uid,
                "original_start": (event.original_start or event.start).isoformat(),
                "state": str(ArchivedEventState.CREATING),
                "start_at": self._owning_start(event).isoformat(),
            }
            for key, event in events.items()
        ]
        await self._context.archived_events(session).add(rows)

    async def add_planned(
        self,
        session: AsyncSession,
        decisions: Sequence[Decision],
        events: Mapping[str, SourceEvent],
        rows: Mapping[str, MapRow],
        attachments: Mapping[str, int],
    ) -> None:
        """Plan the writes decided on."""
        planned = [
            self._row(d.source_key, events[d.source_key], rows.get(d.source_key), d.action, attachments)
            for d in decisions
        ]
        await self._context.operations(session).add(
            self._context.run_id, [row | {"state": str(OperationState.PLANNED)} for row in planned]
        )

    async def add_drafts(
        self,
        session: AsyncSession,
        held: Mapping[str, SourceEvent],
        rows: Mapping[str, MapRow],
        attachments: Mapping[str, int],
    ) -> None:
        """Keep the bodies of events that are not decided yet."""
        drafts = [
            self._row(key, event, row := rows.get(key), _likely_action(row), attachments)
            for key, event in held.items()
        ]
        await self._context.operations(session).add(
            self._context.run_id, [row | {"state": str(OperationState.DRAFT)} for row in drafts]
        )

    def decide_again(self, row: MapRow, event: SourceEvent, mode: RunMode) -> Decision:
        """Decide for an event whose row changed hands after its first decision."""
        return Planner(self._context.window, mode, POLICIES).decide_single(event, known_event(row))

    def _row(
        self,
        key: str,
        event: SourceEvent,
        row: MapRow | None,
        action: Action,
        attachments: Mapping[str, int],
    ) -> dict[str, Any]:
        create = action is Action.CREATE
        generation = row.generation if row else 0
        content = revision(event)
        payload = copy_payload(
            event,
            configuration_id=self._context.configuration_id,
            archive_key=row.archive_key if row else archive_key(self._context.configuration_id, key),
            source_key=key,
            revision=content,
            generation=generation,
            create=create,
        )
        self.zones_reported += payload.zone_reported
        self._position += 1
        record = appointment_record(event, attachments.get(event.id, 0)) | {
            "revision": content,
            "owning_start": self._owning_start(event).isoformat(),
        }
        return {
            "id": str(uuid4()),
            "position": self._position,
            "source_key": key,
            "action": str(OperationAction.CREATE if create else OperationAction.UPDATE),
            "payload": payload.body,
            "record": record,
            "revision": content,
        }

    def _owning_start(self, event: SourceEvent) -> Any:
        """The instant that decides which window the event belongs to (domain.md 2.2)."""
        if event.is_all_day:
            return local_day_start(event.start.date(), self._context.window.zone)
        return event.start


def _likely_action(row: MapRow | None) -> Action:
    without = row is None or row.copy_id is None or row.state in _WITHOUT_COPY
    return Action.CREATE if without else Action.UPDATE

"""Matching source events to copies whose source is gone (domain.md 2.3, 2.9)."""

from collections.abc import Collection, Iterable, Mapping

from shared.database.repositories.appointments import AppointmentRepository
from shared.database.repositories.archived_events import MapRow
from shared.domain.archive_plan import KnownEvent
from shared.domain.archived_event import ArchivedEventState
from shared.domain.revision import source_revision
from shared.domain.source_event import SourceEvent
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.archiving.plan_turn import PlanTurn

_POINTING = (ArchivedEventState.MERGED, ArchivedEventState.CONSUMED)


def known_event(row: MapRow, open_keys: Collection[str] = ()) -> KnownEvent | None:
    """A row of the map as planning sees it; None where it says no more than that the event was there once.

    A duplicate that vanished, or whose copy went to its heir, and is back has no copy: it is decided afresh.
    ``open_keys`` are those with a write that is planned or sent.
    """
    if row.state is ArchivedEventState.SOURCE_DELETED and row.copy_id is None:
        return None
    return KnownEvent(
        source_key=row.source_key,
        state=row.state,
        revision=source_revision(row.revision),
        merged_into=row.merged_into if row.state in _POINTING else None,
        pending=row.pending_since is not None,
        has_copy=row.copy_id is not None,
        left_out=row.left_out,
        modifications=row.modifications,
        conflict_revision=row.conflict_revision,
        under_way=row.pending_since is not None or row.source_key in open_keys,
    )


class SourceMatcher:
    """Finds out which sources are gone, and hands their copies on."""

    def __init__(self, ports: ArchivingPorts, context: RunContext, turn: PlanTurn) -> None:
        self._ports = ports
        self._turn = turn
        self._context = context
        self.repointed = 0
        self.ambiguous = 0

    async def are_gone(self, rows: Iterable[MapRow]) -> set[str]:
        """Source keys of the rows whose source a GET by id says is gone (404)."""
        rows = list(rows)
        found = await self._ports.calendars.get_events(
            self._context.source_mailbox, None, [row.source_id for row in rows]
        )
        return {row.source_key for row in rows if found.get(row.source_id) is None}

    async def repoint(self, fresh: Mapping[str, SourceEvent], alive: Collection[str]) -> dict[str, MapRow]:
        """Give events without a row the copy of the same meeting whose source is gone (domain.md 2.3).

        The same meeting has the same iCalUId and the same original start. ``alive`` keys were just read.
        Returns the rows by their new keys; more than one candidate is no match and is counted.
        """
        async with self._turn.session() as session:
            rows = await self._context.archived_events(session).by_ical_uids(
                sorted({event.ical_uid for event in fresh.values() if event.ical_uid})
            )
        candidates = [row for row in rows if _heritable(row) and row.source_key not in alive]
        if not candidates:
            return {}
        wanted = {(event.ical_uid, event.original_start or event.start) for event in fresh.values()}
        candidates = [row for row in candidates if (row.ical_uid, row.original_start) in wanted]
        gone = await self.are_gone(candidates)
        matched: dict[str, MapRow] = {}
        taken: set[str] = set()
        for key, event in fresh.items():
            slot = (event.ical_uid, event.original_start or event.start)
            heirs = [
                row
                for row in candidates
                if row.source_key in gone
                and row.source_key not in taken
                and (row.ical_uid, row.original_start) == slot
            ]
            heirs = [row for row in heirs if row.copy_id is not None] or heirs
            if len(heirs) == 1:
                taken.add(heirs[0].source_key)
                matched[key] = await self._repoint(heirs[0], key, event)
            elif heirs:
                self.ambiguous += 1
        return matched

    async def _repoint(self, row: MapRow, key: str, event: SourceEvent) -> MapRow:
        async with self._turn.session() as session:
            archived_events = self._context.archived_events(session)
            await archived_events.repoint(
                row, key, event.id, event.original_start or event.start, self._ports.clock.now()
            )
            await self._context.overlaps(session).repoint(row.source_key, key)
            await AppointmentRepository(session).mark_source_present(self._context.owner_id, [row.id])
            await self._ports.audit.record(
                session,
                action="archived_event.repointed",
                resource_type="archived_event",
                resource_id=str(row.id),
                outcome="success",
                changes={"before": {"source_key": row.source_key}, "after": {"source_key": key}},
                on_behalf_of=self._context.owner_id,
            )
            rows = await archived_events.by_keys([key])
        self.repointed += 1
        return rows[key]

    async def take_over(self, former: MapRow, heir: MapRow) -> None:
        """The next duplicate gets the copy of its vanished representative (domain.md 2.9)."""
        async with self._turn.session() as session:
            await self._context.archived_events(session).take_over(former, heir, self._ports.clock.now())
            await AppointmentRepository(session).hand_over(self._context.owner_id, former.id, heir.id)
            await self._ports.audit.record(
                session,
                action="archived_event.taken_over",
                resource_type="archived_event",
                resource_id=str(heir.id),
                outcome="success",
                changes={"from": former.source_key, "to": heir.source_key},
                on_behalf_of=self._context.owner_id,
            )


def _heritable(row: MapRow) -> bool:
    """Whether there is something for another event of the same meeting: a copy, or an open overlap."""
    waiting = (ArchivedEventState.FLAGGED, ArchivedEventState.SOURCE_DELETED)
    return row.copy_id is not None or row.state in waiting

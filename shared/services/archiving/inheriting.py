"""Duplicates that take over the copy of their representative (domain.md 2.9)."""

from collections import defaultdict
from collections.abc import Container, Mapping
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.appointments.appointments import AppointmentRepository
from shared.database.repositories.archiving.archived_events import MapRow
from shared.domain.events.revision import revision, source_revision
from shared.domain.planning.meeting_facts import GoneRow, MeetingFacts, meeting_facts
from shared.domain.planning.read_event import ReadEvent
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.archiving.plan_turn import PlanTurn


async def hand_to_heir(
    session: AsyncSession, ports: ArchivingPorts, context: RunContext, former: MapRow, heir: MapRow
) -> None:
    """Give the heir the row, copy and record of its representative, and its place in overlap groups."""
    now = ports.clock.now()
    places = context.overlap_places(session)
    await context.archived_events(session).take_over(former, heir, now)
    await places.repoint(former.source_key, heir.source_key)
    await AppointmentRepository(session).hand_over(context.owner_id, former.id, heir.id)
    await places.follow(heir.source_key, now)
    await ports.audit.record(
        session,
        "archived_event.taken_over",
        "archived_event",
        heir.id,
        {"from": former.source_key, "to": heir.source_key},
        on_behalf_of=context.owner_id,
    )


class MergedEvents:
    """The merged events that a plan reads. They may take over the copies of their representatives (2.9)."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        #: Unchanged ones by key, with their representative.
        self._unchanged: dict[str, tuple[str, MeetingFacts]] = {}
        #: Those that differ by now and take time, by their representative.
        self._changed: defaultdict[str, list[MeetingFacts]] = defaultdict(list)
        #: Representatives whose copies are kept for a changed one, with the keys of these.
        self._heirs: dict[str, set[str]] = {}
        #: Representatives whose copies no changed one takes, as an earlier reading decided.
        self._refused: set[str] = set()

    def begin(self) -> None:
        """Forget what the former reading showed."""
        self._unchanged, self._changed, self._heirs = {}, defaultdict(list), {}

    def note(self, key: str, row: MapRow, read: ReadEvent) -> None:
        """Remember an event whose row says that it is merged."""
        if row.merged_into is None:
            return
        facts = meeting_facts(read.event, key, self._context.window.zone)
        if source_revision(row.revision) == revision(read.event):
            self._unchanged[key] = row.merged_into, facts
        elif facts.timed and not read.waits and read.left_out is None:
            self._changed[row.merged_into].append(facts)

    @property
    def representatives(self) -> set[str]:
        """Representatives that an unchanged duplicate survives: known by their invitation alone (2.16 a)."""
        return {representative for representative, _ in self._unchanged.values()}

    async def without_representative(self, turn: PlanTurn) -> dict[str, MeetingFacts]:
        """Unchanged ones whose representative's row was given to another event: they are as good as new."""
        if not self._unchanged:
            return {}
        async with turn.session() as session:
            rows = await self._context.archived_events(session).by_keys(sorted(self.representatives))
        return {key: facts for key, (former, facts) in self._unchanged.items() if former not in rows}

    def claim(self, rows: Mapping[str, GoneRow], open_keys: Container[str]) -> dict[str, GoneRow]:
        """The rows, marked as ``only_certain`` where a changed duplicate shares time with their copy.

        If their owner was asked about such a copy, the duplicate would be archived beside it. Then these
        minutes would count twice. Rows of ``open_keys`` have a write in flight: their copy may not exist.
        """
        self._heirs = {
            key: heirs
            for key, row in rows.items()
            if row.known and row.counts and key not in self._refused and key not in open_keys
            if (heirs := {each.key for each in self._changed.get(key, ()) if row.shares_time(each)})
        }
        return {**rows, **{key: replace(rows[key], only_certain=True) for key in self._heirs}}

    def refuse(self, planned: Container[str], heirs: Container[str]) -> bool:
        """Do not keep copies for ``planned`` events that are no ``heirs``. Returns whether there are any.

        Such an event is left out, or merged into another one.
        """
        refused = {
            representative
            for representative, keys in self._heirs.items()
            if all(key in planned and key not in heirs for key in keys)
        }
        self._refused |= refused
        return bool(refused)

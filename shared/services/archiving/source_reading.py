"""Pages of a source calendar for a plan: each event under the key of its row (domain.md 2.3).

Events of a changed series are reduced to the changes that their copies take (2.17).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum, auto

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.archiving.archived_events import MapRow, NewMapRow
from shared.database.repositories.archiving.shared_archives import SharedArchiveRepository
from shared.domain.events.key_set import KeySet, key_digest
from shared.domain.events.source_event import (
    EventType,
    SourceEvent,
    former_source_key,
    second_source_key,
    source_key,
)
from shared.domain.planning.purpose import LeftOut
from shared.domain.planning.read_event import ReadEvent
from shared.domain.runs.archive_run import RunMode
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.runs.unread import NO_ORIGINAL_START, Unread, UnreadEvents
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.archiving.dragging import DraggedMeetings
from shared.services.archiving.inheriting import hand_to_heir
from shared.services.archiving.plan_turn import PlanTurn
from shared.services.archiving.read_page import ReadPage, known_event
from shared.services.archiving.series_resets import SeriesResets
from shared.services.archiving.source_following import SourceFollowing
from shared.services.archiving.source_lookup import read_places, should_have_shown
from shared.services.archiving.stale_pages import STALE_FOR


class Whereabouts(Enum):
    """What became of the representative of duplicates when no page shows it (domain.md 2.9)."""

    #: It is gone, it moved to a later time (2.4), or nobody archives its calendar into the same archive.
    LEFT = auto()
    #: It exists, at another time or in a calendar that another configuration archives.
    HERE = auto()
    #: It could not be read. Or a page does not show it although a read by id says that it is there: one of
    #: the two reads is stale.
    UNKNOWN = auto()


class SourceReader:
    """Finds the rows of events. No two events of one reading have the same key."""

    def __init__(
        self,
        ports: ArchivingPorts,
        context: RunContext,
        open_keys: Collection[str],
        *,
        waiting: frozenset[str] = frozenset(),
        whole: frozenset[str] = frozenset(),
        held: frozenset[str] = frozenset(),
        resets: SeriesResets,
        dragged: DraggedMeetings | None = None,
    ) -> None:
        #: Keys of events that wait for a decision, or whose row has a write in flight.
        self._waiting = waiting
        #: Asks about meetings whose event moved on.
        self._dragged = dragged
        #: Keys of events whose copies take every change, on the owner's word.
        self._whole = whole
        #: Keys that overlap what could not be read. Without a copy they stay decided as before (2.12).
        self._held = held
        self._following = SourceFollowing(context.owner_id, context.configuration_id)
        # Replacing takes the source as it is (domain.md 2.17).
        self._replaces = context.mode is RunMode.REPLACE
        self.resets = resets
        self._ports = ports
        self._context = context
        self._open_keys = open_keys
        self._holders: dict[bytes, bytes] = {}
        #: Keys of the events that were read, in the window or its margins.
        self.met = KeySet(self._holders)
        #: What could not be read, or has no row and no usable key (domain.md 2.12).
        self.unread = UnreadEvents()

    async def take(self, session: AsyncSession, page: Sequence[SourceEvent]) -> ReadPage:
        """The events of the next page under their keys. Rows of earlier versions are rewritten at once."""
        events, rows = await self._identified(session, page)
        await self.left_behind(session, events, rows)
        reads = await self.shown(session, events, rows)
        in_order = dict(sorted(reads.items(), key=lambda item: item[1].place))
        known = {
            key: seen for key, row in rows.items() if (seen := known_event(row, self._open_keys)) is not None
        }
        bare = frozenset(key for key, row in rows.items() if self._is_bare(row))
        return ReadPage(in_order, rows, known, bare)

    async def enter(self, session: AsyncSession, events: Mapping[str, SourceEvent]) -> dict[str, MapRow]:
        """Add map rows for events seen for the first time. This fixes their key and their copy's key (2.3).

        Returns the rows whose copy's key differs from the key derived from their source key.
        """
        rows: list[NewMapRow] = [
            {
                "source_key": key,
                "source_id": event.id,
                "ical_uid": event.ical_uid,
                "original_start": (event.original_start or event.start).isoformat(),
                "state": str(ArchivedEventState.CREATING),
                "start_at": self._context.window.owning_start(event).isoformat(),
                "series_id": event.series_master_id,
                "entered_by": str(self._context.run_id),
            }
            for key, event in events.items()
        ]
        return await self._context.archived_events(session).add(rows)

    async def shown(
        self, session: AsyncSession, events: Mapping[str, SourceEvent], rows: Mapping[str, MapRow]
    ) -> dict[str, ReadEvent]:
        """The events, reduced to the changes that their copies take (domain.md 2.16, 2.17)."""
        reads = await self._following.followed(
            session, events, rows, takes=self.resets.takes_change, whole=self._whole
        )
        for key in await self._invented(session, events, rows):
            if not self.resets.takes_day(events[key], key):
                reads[key] = ReadEvent(events[key], key, events[key].start, left_out=LeftOut.SERIES_CHANGED)
        for key in self._waiting & reads.keys():
            reads[key] = replace(reads[key], waits=True)
        for key in self._held & reads.keys():
            row = rows.get(key)
            if row is None or row.copy_id is None:
                aside = row.left_out if row and row.state is ArchivedEventState.LEFT_OUT else None
                reads[key] = replace(reads[key], waits=aside is None, left_out=aside)
        self.resets.note(
            {key: read for key, read in reads.items() if (read.withheld or read.event).series_master_id}
        )
        return reads

    async def left_behind(
        self, session: AsyncSession, events: Mapping[str, SourceEvent], rows: dict[str, MapRow]
    ) -> set[str]:
        """Keys of events that moved to a later time and left their archived rows behind (2.4).

        The copy had ended when it was archived. The source now starts later than the last run that saw it
        there. So the meeting may have taken place, and the item may have been used again. The event is new
        then. A duplicate that stayed takes over the copy (2.9). Else the row keeps the copy under another
        key. Left rows are removed from ``rows``, and rows of heirs are added.
        """
        left: set[str] = set()
        # The heir of a copy may have moved on itself.
        while moved := await self.moved_on(session, events, rows):
            for key in sorted(moved):
                row = rows.pop(key)
                heir = await self._heir(session, row)
                if heir is None:
                    await self._leave(session, row, events[key])
                else:
                    await hand_to_heir(session, self._ports, self._context, row, heir)
                    if heir.source_key in rows:
                        rows |= await self._context.identities(session).by_keys([heir.source_key])
            left |= moved
        return left

    async def leave_moved(
        self,
        turn: PlanTurn,
        rows: Iterable[MapRow],
        events: Mapping[str, SourceEvent],
        places: Mapping[str, str | None],
    ) -> bool:
        """As ``left_behind``, for rows whose events no page showed. Returns whether a row was left behind.

        ``events`` and ``places`` are by source id. What another configuration archives is left to it.
        """
        own_start, here = self._context.window.owning_start, self._context.source_calendar_id
        later = {
            row.source_key: row
            for row in rows
            if (event := events.get(row.source_id)) is not None and own_start(event) > row.start_at
        }
        if not later:
            return False
        async with turn.session() as session:
            shared = SharedArchiveRepository(session, self._context.owner_id, self._context.configuration_id)
            away = any(places.get(row.source_id) != here for row in later.values())
            others = await shared.readers() if away else {}
            own = {key: row for key, row in later.items() if places.get(row.source_id) not in others}
            return bool(
                await self.left_behind(session, {key: events[row.source_id] for key, row in own.items()}, own)
            )

    async def standing_of(self, turn: PlanTurn, row: MapRow) -> Whereabouts:
        """Whether the row's event, which no page showed, stands in for its duplicates (domain.md 2.9)."""
        found, places = await read_places(self._ports, self._context, [row.source_id], self.unread)
        event, place = found.get(row.source_id), places.get(row.source_id)
        if row.source_id in self.unread.ids or self.unread.holds(row.start_at):
            return Whereabouts.UNKNOWN
        if event is None:
            return Whereabouts.LEFT
        if should_have_shown(self._context, event, place):
            return Whereabouts.UNKNOWN
        async with turn.session() as session:
            if place is not None and place != self._context.source_calendar_id:
                shared = SharedArchiveRepository(
                    session, self._context.owner_id, self._context.configuration_id
                )
                left = place not in await shared.readers()
            else:
                left = bool(await self.moved_on(session, {row.source_key: event}, {row.source_key: row}))
        return Whereabouts.LEFT if left else Whereabouts.HERE

    async def moved_on(
        self, session: AsyncSession, events: Mapping[str, SourceEvent], rows: Mapping[str, MapRow]
    ) -> set[str]:
        """Keys of events that moved to a later time after their copies had ended (domain.md 2.4)."""
        moved = {
            key: rows[key]
            for key, event in events.items()
            if key in rows
            and event.type in (EventType.SINGLE_INSTANCE, EventType.EXCEPTION)
            and rows[key].copy_id is not None
            and rows[key].state in (ArchivedEventState.PRESENT, ArchivedEventState.SOURCE_DELETED)
            and key not in self._open_keys
            and key not in self._whole
            and self._context.window.owning_start(event) > rows[key].start_at
        }
        if not moved or self._replaces:
            return set()
        seen = await self._following.archived_after_end(session, moved)
        return {key for key, last in seen.items() if events[key].start > last}

    async def _heir(self, session: AsyncSession, row: MapRow) -> MapRow | None:
        """The duplicate that takes the copy after its representative moved on (domain.md 2.9)."""
        start, end = self._context.window.read_range
        in_range = start <= row.start_at < end
        heirs = await self._context.archived_events(session).merged_into(row.source_key)
        return next(
            (
                heir
                for heir in heirs
                # A duplicate that is no longer shown here is gone, so it cannot take the copy.
                if heir.source_key not in self._open_keys and (heir.source_key in self.met or not in_range)
            ),
            None,
        )

    async def _leave(self, session: AsyncSession, row: MapRow, event: SourceEvent) -> None:
        now, day = self._ports.clock.now(), row.start_at.astimezone(self._context.window.zone).date()
        key = await self._context.identities(session).detach(row, day, now)
        await self._context.overlap_places(session).repoint(row.source_key, key)
        await self._ports.audit.record(
            session,
            "archived_event.left_behind",
            "archived_event",
            row.id,
            {"before": {"source_key": row.source_key}, "after": {"source_key": key}},
            on_behalf_of=self._context.owner_id,
        )
        if self._dragged is not None:
            await self._dragged.ask(session, row, key, event)

    async def _identified(
        self, session: AsyncSession, page: Sequence[SourceEvent]
    ) -> tuple[dict[str, SourceEvent], dict[str, MapRow]]:
        identities = self._context.identities(session)
        by_source = await identities.by_sources([event.id for event in page])
        page = [event for event in page if event.id in by_source or self._has_key(event)]
        by_key = await identities.by_keys([source_key(event) for event in page if event.id not in by_source])
        for event in page:
            if (row := by_source.get(event.id)) is not None:
                self._holders.setdefault(key_digest(row.source_key), key_digest(event.id))
        events: dict[str, SourceEvent] = {}
        rows: dict[str, MapRow] = {}
        renewed: list[tuple[MapRow, MapRow]] = []
        for event in page:
            row = by_source.get(event.id) or self._under_its_key(event, by_key)
            key = self._claim(event, row.source_key if row is not None else source_key(event))
            events[key] = event
            if row is not None and row.source_key == key:
                rows[key] = row
                current = self._current(row, event)
                if current != row:
                    renewed.append((row, current))
        for before, after in await self._renew(session, renewed):
            events[after.source_key] = events.pop(before.source_key)
            del rows[before.source_key]
            rows[after.source_key] = after
        return events, rows

    def _has_key(self, event: SourceEvent) -> bool:
        """Whether the event has what a key needs. An event without it fails alone (domain.md 2.12)."""
        try:
            source_key(event)
        except ValueError:
            told = Unread(NO_ORIGINAL_START, event.id, event.start, event.end, event.is_all_day)
            self.unread.add(told)
            return False
        return True

    def _under_its_key(self, event: SourceEvent, by_key: Mapping[str, MapRow]) -> MapRow | None:
        """The row of the event's key, unless another event that was read has that row."""
        row = by_key.get(source_key(event))
        own = key_digest(event.id)
        if row is None or self._holders.get(key_digest(row.source_key), own) != own:
            return None
        return row

    def _claim(self, event: SourceEvent, key: str) -> str:
        """The key, or a longer key if another event of this reading has it."""
        holder = key_digest(event.id)
        if self._holders.setdefault(key_digest(key), holder) != holder:
            key = second_source_key(event, key)
            self._holders[key_digest(key)] = holder
        return key

    def _current(self, row: MapRow, event: SourceEvent) -> MapRow:
        """The row in this version's form. While its write is in flight, it keeps its key."""
        key = row.source_key
        if key not in self._open_keys and key == former_source_key(event):
            key = source_key(event)
        if key_digest(key) in self._holders and self._holders[key_digest(key)] != key_digest(event.id):
            key = row.source_key
        return row._replace(source_key=key, source_id=event.id, series_id=event.series_master_id)

    async def _renew(
        self, session: AsyncSession, rows: Sequence[tuple[MapRow, MapRow]]
    ) -> list[tuple[MapRow, MapRow]]:
        """Rewrite rows. Returns those whose key changed."""
        changed = await self._context.identities(session).identify(rows, self._ports.clock.now())
        renamed = [
            (before, after)
            for before, after in rows
            if before.id in changed and before.source_key != after.source_key
        ]
        for before, after in renamed:
            await self._context.overlap_places(session).repoint(before.source_key, after.source_key)
            self._holders[key_digest(after.source_key)] = key_digest(after.source_id)
        return renamed

    async def _invented(
        self, session: AsyncSession, events: Mapping[str, SourceEvent], rows: Mapping[str, MapRow]
    ) -> set[str]:
        """Occurrences on days that the known series did not have when it was archived (2.17)."""
        plain = {key: event for key, event in events.items() if event.type is EventType.OCCURRENCE}
        stay = {key for key in plain if key in rows and rows[key].left_out is LeftOut.SERIES_CHANGED}
        identities = self._context.identities(session)
        # A row that a plan entered and finished is of an event that was seen on its day: it was not invented.
        bare = await identities.of_broken_plans(
            [key for key in plain if key in rows and self._is_bare(rows[key])]
        )
        fresh = {
            key: event for key, event in plain.items() if key not in stay and (key not in rows or key in bare)
        }
        series = {event.series_master_id for event in fresh.values() if event.series_master_id}
        known = await identities.series_known(series)
        asked = {
            key: self._context.window.owning_start(event)
            for key, event in fresh.items()
            if event.series_master_id in known
        }
        planned = await self._following.last_planned(session, set(asked.values()))
        for key, start in asked.items():
            event, last = fresh[key], planned.get(start)
            since = known[event.series_master_id or ""]
            if last is not None and last >= max(event.end, since, self._shown_from(event, since, last)):
                stay.add(key)
        return stay

    @staticmethod
    def _shown_from(event: SourceEvent, since: datetime, last: datetime) -> datetime:
        """The time from which each reading shows a series. A plan knows rows of it since ``since``.

        A plan that reads soon after a series was entered may be shown parts of the calendar as they were
        before. A successor takes over rows that are older than itself. If the ``last`` plan of the day may
        not have been shown a change of the series, the day may have come by that change.
        """
        entered, changed = event.entered_at, event.changed_at
        if entered is None or entered > since:
            return since
        unseen = changed is not None and changed > max(entered, last - STALE_FOR)
        return since if unseen else entered + STALE_FOR

    def _is_bare(self, row: MapRow) -> bool:
        """Whether the row says only that a plan met its event: nothing is written or decided."""
        return (
            row.state is ArchivedEventState.CREATING
            and not row.had_copy
            and row.pending_since is None
            and row.source_key not in self._open_keys
        )

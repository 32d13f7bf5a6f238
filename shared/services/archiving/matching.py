"""Matches meetings whose source is gone with new events: are they the same (domain.md 2.4, 2.9, 2.16)?"""

from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from shared.database.repositories.appointments.appointments import AppointmentRepository
from shared.database.repositories.archiving.archived_events import MapRow
from shared.database.repositories.archiving.shared_archives import SharedArchiveRepository
from shared.domain.events.source_event import SourceEvent
from shared.domain.identity.disclosure import NORMAL
from shared.domain.planning.duplicates import represented
from shared.domain.planning.meeting_facts import GoneRow, MeetingFacts, meeting_facts
from shared.domain.planning.overlaps import PlannedGroup
from shared.domain.planning.read_event import ReadEvent
from shared.domain.planning.same_meeting import Matching, MatchStep, match_meetings, possible_predecessors
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.runs.unread import UnreadEvents
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.archiving.doubting import MeetingDoubts, waits_for_nothing
from shared.services.archiving.dragging import DraggedMeetings
from shared.services.archiving.gone_rows import as_gone
from shared.services.archiving.inheriting import MergedEvents, hand_to_heir
from shared.services.archiving.plan_turn import PlanTurn
from shared.services.archiving.read_page import ReadPage
from shared.services.archiving.repointing import repoint
from shared.services.archiving.series_resets import SeriesResets
from shared.services.archiving.source_following import SourceFollowing
from shared.services.archiving.source_lookup import read_places, read_sources, should_have_shown
from shared.services.archiving.source_reading import SourceReader
from shared.services.archiving.stale_pages import STALE_FOR, shown_twice
from shared.services.archiving.taking_over import TakingOver

# Duplicates are handed on separately, before anything is matched (domain.md 2.9).
_NOT_MATCHED = (ArchivedEventState.MERGED, ArchivedEventState.CONSUMED, ArchivedEventState.SUPERSEDED)
_CHUNK = 500
# How far ahead a series is searched for an occurrence that proves that it continues.
_FAR = timedelta(days=1800)


class SourceMatcher:
    """Finds out which sources are gone, and hands their copies to the right events.

    It lives longer than one reading of the pages: the next reading finds a row that was handed on under its
    new key.
    """

    def __init__(
        self,
        ports: ArchivingPorts,
        context: RunContext,
        turn: PlanTurn,
        open_keys: frozenset[str],
        doubts: MeetingDoubts,
        *,
        for_others: bool = False,
    ) -> None:
        """With ``for_others``, not the owner sees the result, so private events stay private."""
        self._for_others = for_others
        self._ports = ports
        self._turn = turn
        self._context = context
        self._open_keys = open_keys
        self._new: dict[str, MeetingFacts] = {}
        self._matched: set[str] = set()
        #: New events that a row of their own decides: it cannot be given away.
        self._decided: set[str] = set()
        #: The merged events of this reading.
        self.merged = MergedEvents(context)
        #: New events that some reading of this plan matched.
        self._in_doubt: set[str] = set()
        #: Whether this reading matches nothing. New events that may have a copy wait for the next run.
        self._holds_back = False
        self._late: set[str] = set()
        #: ``_late`` are the new events that were entered after this instant: pages may be stale about them.
        self._fresh_from = ports.clock.now()
        #: The events that questions are about, or may be about, by key.
        self._watched: dict[str, SourceEvent] = {}
        #: Keys of modifications whose meeting still exists, though no page shows it near them (4.6).
        self.released: set[str] = set()
        #: Likely matches, and the new events that wait for an answer.
        self.doubts = doubts
        #: What this reading could not read. Nothing in it is gone or matched (2.12).
        self.unread = UnreadEvents()
        self._reader: SourceReader
        #: Archived and new events at the place where the last page ended.
        self._at_end: list[ReadEvent] = []
        #: Events that overlap what could not be read: the stored group, by key.
        self.held: dict[str, UUID] = {}
        self.repointed = 0
        self.ambiguous = 0

    def reader(self, dragged: DraggedMeetings, resets: SeriesResets) -> SourceReader:
        """The reader for the next reading, with the events that are known to wait."""
        self.merged.begin()
        self._at_end = []
        self._late = set()
        self._fresh_from = self._ports.clock.now() - STALE_FOR
        reader = SourceReader(
            self._ports,
            self._context,
            self._open_keys,
            waiting=frozenset(self.doubts.waiting),
            whole=frozenset(self.doubts.whole),
            held=frozenset(self.held),
            resets=resets,
            dragged=dragged,
        )
        self.unread = self.doubts.unread = reader.unread
        self._reader = reader
        return reader

    def hold_back(self) -> None:
        """Let new events that may have a copy wait for the next run (2.16). The next reading matches none."""
        self._holds_back = True

    async def are_gone(self, rows: Iterable[MapRow]) -> set[str]:
        """Source keys of the rows whose source is gone (domain.md 2.4)."""
        rows = list(rows)
        ids = [row.source_id for row in rows]
        found = await read_sources(self._ports, self._context, ids, self.unread)
        return {row.source_key for row in rows if row.source_id not in found and not self.is_open(row)}

    def is_open(self, row: MapRow) -> bool:
        """Whether the row's event, or the time at which it was last seen, could not be read."""
        return row.source_id in self.unread.ids or self.unread.holds(row.start_at)

    def note(self, page: ReadPage, undecided: Collection[str]) -> ReadPage:
        """Remember new events of a page. Returns the page with those that wait for a match.

        ``undecided`` are the events that an overlap makes wait, or made wait until it was decided.
        """
        reads, new = dict(page.reads), dict[str, ReadEvent]()
        for key, read in page.reads.items():
            row = page.rows.get(key)
            held = row is not None and waits_for_nothing(row, undecided)
            if held and key not in self._matched:
                self.doubts.waiting.add(key)
                reads[key] = replace(read, waits=True)
            if row is not None and row.state is ArchivedEventState.MERGED:
                self.merged.note(key, row, read)
                continue
            is_new = (
                row is None or held or key in page.bare or key not in page.known or self.doubts.asks_of(row)
            )
            if is_new and key not in self._decided:
                new[key] = read
        standing = [each for key, each in page.reads.items() if key in new or self._is_archived(page, key)]
        places = Counter(each.place for each in (*self._at_end, *standing))
        crowd = [each for each in (*self._at_end, *standing) if places[each.place] > 1]
        duplicates = represented(crowd, new, self.doubts.events) if crowd else set()
        self._at_end = [each for each in standing if each.place == standing[-1].place]
        self._matched |= duplicates
        for key, read in new.items():
            if key in duplicates:
                continue
            facts = meeting_facts(read.event, key, self._context.window.zone)
            self._new[key] = replace(facts, added=True) if key in self._reader.resets.added else facts
            if (entered := read.event.entered_at) is not None and entered > self._fresh_from:
                self._late.add(key)
            if self._holds_back and (key in self._in_doubt or key in self._late):
                reads[key] = replace(reads[key], waits=True)
        watched = self.doubts.waiting | self.doubts.events
        self._watched |= {key: reads[key].event for key in watched & reads.keys()}
        return replace(page, reads=reads)

    @staticmethod
    def _is_archived(page: ReadPage, key: str) -> bool:
        known = page.known.get(key)
        return known is not None and known.archived

    def may_match(self, group: PlannedGroup) -> bool:
        """Whether a member is a new event that this reading has not matched yet."""
        return any(member.source_key in self._new for member in group.members)

    async def match(self, met: Container[str]) -> bool:
        """Match new events with gone rows. Returns whether the pages must be read once more."""
        new, self._new = self._new, {}
        if self._late and await shown_twice(self._ports, self._context, self.unread, new, self._late):
            return True
        new |= await self.merged.without_representative(self._turn)
        self._matched |= new.keys()
        elsewhere, busy = await self._elsewhere(new)
        if elsewhere or busy:
            new = {key: each for key, each in new.items() if key not in elsewhere and key not in busy}
        rows = await self._unmet(met) if new or self.doubts.rows else {}
        events = await self._facts_of(new) if rows else []
        known = await self._gone_rows(rows, events) if rows else ([], [], [])
        if known is None:
            self._in_doubt |= new.keys()
            return True
        found, unsure, away = known
        # A copy that an unchanged duplicate inherits causes no question (domain.md 2.9).
        formers = self.merged.representatives
        gone = {each.facts.key: each for each in found if each.facts.key not in formers}
        sure = [each for each in found if each.facts.key in formers]
        asked = {key: new[key] for key in self.doubts.events & new.keys()}
        answered = self.doubts.answered(gone, rows, asked, met, self._watched)
        left = [each for key, each in gone.items() if key not in answered.rows]
        events = [each for each in events if each.key not in answered.events]
        left += [*sure, *unsure, *away]
        matching = await self._matching(left, rows, events) if left else Matching()
        decided = [*answered.pairs, *matching.pairs]
        # A row with a write in flight is reconciled first, and its event waits until then. The next run reads
        # again a row whose time could not be read, or about which two reads disagree.
        taken = {key for pair in decided for key in (pair.row, pair.event)}
        taken |= {key for doubt in matching.doubts for key in (*doubt.rows, *doubt.events)}
        found_doubts = [*matching.doubts, *self.doubts.standing(gone, asked, taken)]
        disputed = {each.facts.key for each in unsure}
        disputed |= {key for key in gone if key in self._open_keys and rows[key].copy_id is None}
        doubts = [doubt for doubt in found_doubts if disputed.isdisjoint(doubt.rows)]
        waiting = busy | {p.event for p in decided if p.row in self._open_keys or p.row in disputed}
        waiting |= {key for doubt in found_doubts if doubt not in doubts for key in doubt.events}
        self._in_doubt |= waiting.union(p.event for p in decided).union(*(d.events for d in found_doubts))
        pairs = [pair for pair in decided if pair.event not in waiting]
        again = self.doubts.ask(doubts, gone, rows, self._watched, waiting)
        if elsewhere or pairs:
            async with self._turn.session() as session:
                await self._context.operations(session).clear_unsent(self._context.run_id)
                await TakingOver(self._ports, self._context).take(session, elsewhere)
                heirs = {pair.event: rows[pair.row].id for pair in pairs}
                await self._context.identities(session).absorb(heirs)
                # A row that says more stays, and its event is decided by it.
                self._decided |= (await self._context.archived_events(session).by_keys(list(heirs))).keys()
                pairs = [pair for pair in pairs if pair.event not in self._decided]
                for pair in pairs:
                    row, facts = rows[pair.row], new[pair.event]
                    await repoint(session, self._ports, self._context, row, pair.step, facts)
                self.repointed += len(pairs)
            self.doubts.repointed(pairs)
            # Even if nothing was given, what was planned is gone.
            return True
        return again

    async def _facts_of(self, new: Mapping[str, MeetingFacts]) -> list[MeetingFacts]:
        following = SourceFollowing(self._context.owner_id, self._context.configuration_id)
        async with self._turn.session() as session:
            return await following.with_lateness(session, list(new.values()))

    async def _elsewhere(self, new: Mapping[str, MeetingFacts]) -> tuple[dict[str, MapRow], set[str]]:
        """Rows of other configurations with this archive, by key here, and events that wait (2.4)."""
        if not new:
            return {}, set()
        async with self._turn.session() as session:
            shared = SharedArchiveRepository(session, self._context.owner_id, self._context.configuration_id)
            found = await shared.elsewhere([facts.source_id for facts in new.values()])
        there = {key: found[each.source_id] for key, each in new.items() if each.source_id in found}
        return (
            {key: each.row for key, each in there.items() if not each.busy},
            {key for key, each in there.items() if each.busy},
        )

    async def release(self, presumed: Mapping[str, str], met: Container[str]) -> bool:
        """Release modifications whose meeting is not gone. Returns whether the pages must be read again."""
        if not presumed:
            return False
        async with self._turn.session() as session:
            rows = await self._context.archived_events(session).by_keys(sorted(set(presumed.values())))
        asked = [
            row
            for row in rows.values()
            if row.state is not ArchivedEventState.SOURCE_DELETED and row.source_key not in met
        ]
        gone = await self.are_gone(asked) if asked else set()
        gone |= {
            key
            for key, row in rows.items()
            if row.state is ArchivedEventState.SOURCE_DELETED or self.is_open(row)
        }
        freed = {key for key, meeting in presumed.items() if meeting not in gone}
        self.released |= freed
        return bool(freed)

    async def _unmet(self, met: Container[str]) -> dict[str, MapRow]:
        """Rows of the window and its margins whose source no page showed."""
        unmet: dict[str, MapRow] = {}
        after: MapRow | None = None
        start, end = self._context.window.read_range
        while True:
            async with self._turn.session() as session:
                rows = await self._context.identities(session).in_range(start, end, _CHUNK, after)
            unmet |= {
                row.source_key: row
                for row in rows
                if row.source_key not in met and row.source_id not in self.unread.ids
            }
            if len(rows) < _CHUNK:
                return {key: row for key, row in unmet.items() if row.state not in _NOT_MATCHED}
            after = rows[-1]

    async def _gone_rows(
        self, rows: Mapping[str, MapRow], new: Sequence[MeetingFacts]
    ) -> tuple[list[GoneRow], list[GoneRow], list[GoneRow]] | None:
        """The rows whose source is gone, those for which this cannot be known, and those left here.

        The second kind exists but no page showed it, or its time could not be read. Events of the third went
        to another calendar. Returns None if a row was left behind by its event, which moved to a later time
        (2.4). Then the pages must be read once more.
        """
        async with self._turn.session() as session:
            records = await AppointmentRepository(session).recorded(
                self._context.owner_id, [row.id for row in rows.values() if row.had_copy]
            )
            # An event that waits for its owner's decision has no copy, and can be the same meeting.
            bare = {row.source_key: row.id for row in rows.values() if row.copy_id is None}
            waiting = await self._context.overlaps(session).recorded(list(bare))
            # So can an event with a write in flight.
            waiting |= await self._context.identities(session).being_written(
                [key for key in bare if key in self._open_keys]
            )
        records |= {bare[key]: record for key, record in waiting.items()}
        if self._for_others:
            records = {key: each for key, each in records.items() if each.sensitivity == NORMAL}
        zone, formers = self._context.window.zone, self.merged.representatives
        candidates = self.merged.claim(
            {
                key: as_gone(
                    row,
                    None if key in formers else records.get(row.id),
                    zone,
                    archived=row.had_copy or key in self._open_keys,
                )
                for key, row in rows.items()
            },
            self._open_keys,
        )
        ended = {each.facts.key for each in candidates.values()}
        answered = any(row.id in self.doubts.rows for row in rows.values())
        if not answered and match_meetings(list(candidates.values()), new, ended).empty:
            # No new event looks like any of these rows, so it does not matter whether they are gone.
            return [], [], []
        unsure = {row.source_key for row in rows.values() if self.is_open(row)}
        rows = {key: row for key, row in rows.items() if key not in unsure}
        living = [row for row in rows.values() if row.state is not ArchivedEventState.SOURCE_DELETED]
        found, places = await read_places(
            self._ports, self._context, [row.source_id for row in living], self.unread
        )
        gone = {row.source_key for row in living if row.source_id not in found and not self.is_open(row)}
        gone |= rows.keys() - {row.source_key for row in living}
        unsure |= {
            row.source_key
            for row in living
            if (event := found.get(row.source_id)) is not None
            and should_have_shown(self._context, event, places.get(row.source_id))
        }
        moved = [row for row in living if row.source_key not in unsure]
        if await self._reader.leave_moved(self._turn, moved, found, places):
            return None
        gone_rows = [each for key, each in candidates.items() if key in gone]
        away = await TakingOver(self._ports, self._context).left_here(candidates.values(), places)
        return gone_rows, [each for key, each in candidates.items() if key in unsure], away

    async def _matching(
        self, gone: Sequence[GoneRow], rows: Mapping[str, MapRow], new: Sequence[MeetingFacts]
    ) -> Matching:
        """Match, and look series up only where it makes a difference."""
        asked = possible_predecessors(gone, new)
        ended: set[str] = set()
        for each in gone:
            if each.facts.key not in asked or each.facts.series is None:
                continue
            begins: datetime = rows[each.facts.key].original_start
            if not await self._ports.calendars.in_tenant(self._context.tenant_id).series_goes_on(
                self._context.source_mailbox, each.facts.series, begins, begins + _FAR
            ):
                ended.add(each.facts.key)
        # An event whose overlap was decided by a plan that broke off waits for no answer.
        return match_meetings(gone, new, ended, self.doubts.waiting & self.doubts.events)

    async def hand_on(self, pairs: Sequence[tuple[MapRow, SourceEvent, str]]) -> None:
        """Give rows to other events, by key, after their series changed (domain.md 2.17)."""
        async with self._turn.session() as session:
            await self._context.operations(session).clear_unsent(self._context.run_id)
            await self._context.identities(session).absorb({key: row.id for row, _, key in pairs})
            kept = await self._context.archived_events(session).by_keys([key for _, _, key in pairs])
            for row, event, key in (pair for pair in pairs if pair[2] not in kept):
                facts = meeting_facts(event, key, self._context.window.zone)
                await repoint(session, self._ports, self._context, row, MatchStep.SERIES_TAKEN, facts)
                self.repointed += 1

    async def take_over(self, former: MapRow, heir: MapRow) -> None:
        """Give the copy of a vanished representative to its next duplicate (domain.md 2.9)."""
        async with self._turn.session() as session:
            await hand_to_heir(session, self._ports, self._context, former, heir)

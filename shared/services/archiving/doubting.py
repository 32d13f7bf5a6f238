"""Questions about likely the same meeting: asked, waiting, answered (domain.md 2.16 d, e).

One object serves one plan, however often the plan reads its pages. A run carries an answer out. *One meeting*
re-points the row. *Two meetings* creates the new event. *The new one only* creates it and supersedes the old
copy. An answer is valid only for what was shown. If that changed before the answer was carried out, the
question is asked again.
"""

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.action_items.plan_items import AskedItem, ItemEvent, StoredItem
from shared.database.repositories.archiving.archived_events import MapRow
from shared.domain.action_items.items import ActionItemStatus, Answer, Question, Side, about
from shared.domain.events.revision import revision
from shared.domain.events.source_event import SourceEvent
from shared.domain.planning.meeting_facts import GoneRow, MeetingFacts
from shared.domain.planning.same_meeting import Doubt, MatchStep, Pair, closest
from shared.domain.runs.archived_event import ArchivedEventState
from shared.domain.runs.unread import UnreadEvents
from shared.services.archiving.action_item_keeping import ActionItemKeeper, shown_in_item
from shared.services.archiving.context import RunContext
from shared.services.archiving.superseding import supersede

if TYPE_CHECKING:
    from shared.services.archiving.drafting import OperationDrafter

_ASKED = (Question.LIKELY_SAME,)


@dataclass(slots=True)
class AnsweredDoubts:
    """What the answers mean for one plan."""

    #: Keys of rows that are decided and take part in no matching.
    rows: set[str] = field(default_factory=set)
    #: Keys of events that are decided and take part in no matching.
    events: set[str] = field(default_factory=set)
    #: Pairs to re-point.
    pairs: list[Pair] = field(default_factory=list)


class MeetingDoubts:
    """The questions of one configuration about events that are likely the same meeting."""

    def __init__(self, context: RunContext, keeper: ActionItemKeeper) -> None:
        self._context = context
        self._keeper = keeper
        self._items: list[StoredItem] = []
        self._reopened: list[UUID] = []
        self._asked: list[AskedItem] = []
        self._superseded: set[str] = set()
        #: What the current reading could not read.
        self.unread = UnreadEvents()
        #: Keys of new events that the next reading holds back.
        self.waiting: set[str] = set()
        #: Keys of events whose copies take every change of the source, on the owner's word.
        self.whole: set[str] = set()

    async def load(self, session: AsyncSession) -> None:
        """Load the questions that are open or answered."""
        start, end = self._context.window.read_range
        self._items = await self._keeper.live(session, start, end, _ASKED)
        for item in self._items:
            if item.is_open or item.answer is Answer.ONE_MEETING:
                self.waiting |= {event.key for event in item.new}
            if item.answer is Answer.ONE_MEETING:
                self.whole |= {event.key for event in item.new}

    @property
    def rows(self) -> set[UUID]:
        """Map rows that the questions are about."""
        return {row.row_id for item in self._items for row in item.archived if row.row_id}

    def asks_about(self, row: MapRow) -> bool:
        """Whether a question, also one of this plan, shows the row as archived."""
        asked = {event.row_id for item in self._asked for event in item.events if event.row_id}
        return row.id in self.rows | asked

    def asks_of(self, row: MapRow) -> bool:
        """Whether the row's event waits for a question, whatever a group of overlapping events says of it."""
        return row.state is ArchivedEventState.FLAGGED and row.source_key in self.events

    @property
    def events(self) -> set[str]:
        """Keys of the new events that the questions are about."""
        return {event.key for item in self._items for event in item.new}

    def answered(
        self,
        gone: Mapping[str, GoneRow],
        rows: Mapping[str, MapRow],
        new: Mapping[str, MeetingFacts],
        met: Container[str],
        watched: Mapping[str, SourceEvent],
    ) -> AnsweredDoubts:
        """Check the answers against what this reading showed. Answers that no longer fit are asked again.

        ``new`` has only events of the questions. ``watched`` are these events as they were read.
        """
        answered = AnsweredDoubts()
        self._reopened, self._superseded, self.whole = [], set(), set()
        for item in self._items:
            if item.is_open or not self._judged(item):
                continue
            if item.answer is Answer.ONE_MEETING and {e.key for e in item.new} <= {
                row.key for row in item.archived
            }:
                # The row was re-pointed, and the write is not done yet.
                self.whole |= {event.key for event in item.new}
            elif self._stands(item, gone, rows, new, met, watched):
                self._carry_out(item, rows, new, answered)
            else:
                self._reopened.append(item.id)
        return answered

    def standing(
        self, gone: Mapping[str, GoneRow], new: Mapping[str, MeetingFacts], taken: Collection[str]
    ) -> list[Doubt]:
        """Questions that stay, although nothing would open them any more: their events changed since.

        The sources of the copies are still gone, and the events still new, on the day that was shown. No key
        is ``taken``.
        """
        zone = self._context.window.zone
        return [
            Doubt(tuple(row.key for row in item.archived), tuple(event.key for event in item.new))
            for item in self._items
            if (item.is_open or item.id in self._reopened)
            and self._judged(item)
            and all(
                row.key in gone and gone[row.key].counts and row.key not in taken for row in item.archived
            )
            and all(
                event.key in new
                and event.key not in taken
                and new[event.key].day == event.start.astimezone(zone).date()
                for event in item.new
            )
        ]

    def repointed(self, pairs: Sequence[Pair]) -> None:
        """Replace the rows' keys after they were re-pointed to other events."""
        keys = {pair.row: pair.event for pair in pairs}
        self._items = [
            replace(
                item, archived=tuple(replace(row, key=keys.get(row.key, row.key)) for row in item.archived)
            )
            for item in self._items
        ]

    def ask(
        self,
        doubts: Sequence[Doubt],
        gone: Mapping[str, GoneRow],
        rows: Mapping[str, MapRow],
        watched: Mapping[str, SourceEvent],
        under_way: Collection[str],
    ) -> bool:
        """Store the doubts of a reading. Returns whether the reading held back the wrong events.

        ``under_way`` are new events whose row has a write in flight.
        """
        held_back = frozenset(self.waiting)
        self.waiting = {key for doubt in doubts for key in doubt.events} | set(under_way)
        # An item of which this plan sees only a part stays as it is.
        beyond = {
            event.key
            for item in self._items
            if not self._judged(item) and (item.is_open or item.answer is Answer.ONE_MEETING)
            for event in item.new
        }
        self.waiting |= beyond
        self._asked = [
            self._question(doubt, gone, rows, watched)
            for doubt in doubts
            if all(key in watched for key in doubt.events) and beyond.isdisjoint(doubt.events)
        ]
        return held_back != self.waiting

    async def keep(self, session: AsyncSession) -> None:
        """Open, refresh and close items after the last reading of the plan."""
        await self._keeper.reopen(session, self._reopened)
        judged = [
            replace(item, status=ActionItemStatus.OPEN) if item.id in self._reopened else item
            for item in self._items
            if self._judged(item)
        ]
        stored = {item.about for item in judged}
        asked = [each for each in self._asked if each.about in stored or self._owns(each)]
        await self._keeper.keep(session, asked, judged)

    async def supersede(
        self, session: AsyncSession, drafter: "OperationDrafter", open_keys: Collection[str]
    ) -> None:
        """Plan to supersede the old copies of answers *the new one only*: shown free, no time counted."""
        await supersede(session, self._context, drafter, self._superseded - set(open_keys))

    def _judged(self, item: StoredItem) -> bool:
        """Whether this plan reads all events of the item, and one of them is in its window."""
        start, end = self._context.window.read_range
        events = (*item.archived, *item.new)
        owned = any(self._context.window.start <= each.start < self._context.window.end for each in events)
        if any(each.source_id in self.unread.ids or self.unread.holds(each.start) for each in events):
            return False
        return owned and all(start <= row.start < end for row in item.archived)

    def _owns(self, asked: AskedItem) -> bool:
        window = self._context.window
        return any(window.start <= e.start < window.end for e in asked.events if e.side is Side.NEW)

    def _stands(
        self,
        item: StoredItem,
        gone: Mapping[str, GoneRow],
        rows: Mapping[str, MapRow],
        new: Mapping[str, MeetingFacts],
        met: Container[str],
        watched: Mapping[str, SourceEvent],
    ) -> bool:
        """Whether everything is still as it was shown with the question, or is already carried out."""
        for row in item.archived:
            if row.state is ArchivedEventState.SUPERSEDED and item.answer is Answer.NEW_ONE_ONLY:
                continue
            if row.key not in gone or rows[row.key].revision != row.revision:
                return False
        for event in item.new:
            if event.key not in met:
                return False
            if event.key in new and revision(watched[event.key]) != event.revision:
                return False
        return True

    def _carry_out(
        self,
        item: StoredItem,
        rows: Mapping[str, MapRow],
        new: Mapping[str, MeetingFacts],
        answered: AnsweredDoubts,
    ) -> None:
        answered.rows |= {row.key for row in item.archived}
        answered.events |= {event.key for event in item.new}
        if item.answer is Answer.ONE_MEETING:
            events = [(event.key, new[event.key].start) for event in item.new if event.key in new]
            for row, event in closest([(row.key, row.start) for row in item.archived], events).items():
                answered.pairs.append(Pair(row, event, MatchStep.ONE_MEETING))
                self.whole.add(event)
        elif item.answer is Answer.NEW_ONE_ONLY:
            self._superseded |= {row.key for row in item.archived if row.key in rows}

    def _question(
        self,
        doubt: Doubt,
        gone: Mapping[str, GoneRow],
        rows: Mapping[str, MapRow],
        watched: Mapping[str, SourceEvent],
    ) -> AskedItem:
        old = [self._old(rows[key], gone[key]) for key in doubt.rows]
        new = [self._new(key, watched[key]) for key in doubt.events]
        named = about(Question.LIKELY_SAME, [e.source_id for e in old], [e.source_id for e in new])
        return AskedItem(Question.LIKELY_SAME, named, (*old, *new))

    def _old(self, row: MapRow, gone: GoneRow) -> ItemEvent:
        return ItemEvent(
            Side.ARCHIVED, row.source_key, row.source_id, row.revision, row.start_at, gone.copy_end, row.id
        )

    def _new(self, key: str, event: SourceEvent) -> ItemEvent:
        start = self._context.window.owning_start(event)
        record = shown_in_item(event)
        return ItemEvent(
            Side.NEW, key, event.id, revision(event), start, max(start, event.end), record=record
        )


def waits_for_nothing(row: MapRow, undecided: Collection[str]) -> bool:
    """Whether the event waited only for a row's write or for an answer.

    ``undecided`` are the events that an overlap makes wait, or made wait until it was decided.
    """
    return row.state is ArchivedEventState.FLAGGED and row.source_key not in undecided

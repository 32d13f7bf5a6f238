"""Keeps questions about changed series in step from one plan to the next (domain.md 2.17).

``begin`` loads the questions that are open or answered. ``SeriesResets`` uses them to decide what each copy
follows. ``pair`` gives the copies of vanished dates to new events of the same dates. ``finish`` supersedes
surplus copies and updates the items.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.action_items.plan_items import AskedItem, ItemEvent
from shared.database.repositories.action_items.series_items import (
    SeriesItemRepository,
    SeriesRow,
    ShownReset,
    StoredReset,
)
from shared.domain.action_items.items import CloseReason, Question, Side
from shared.domain.events.revision import revision
from shared.domain.events.source_event import SourceEvent
from shared.domain.overlaps.reminders import REMIND_AFTER
from shared.domain.planning.series_reset import (
    Dated,
    Difference,
    Judgement,
    Occurrence,
    ResetStep,
    Span,
    judge,
    of_predecessor,
    take_series,
)
from shared.services.archiving.action_item_keeping import ActionItemKeeper, shown_in_item
from shared.services.archiving.context import ArchivingPorts, RunContext
from shared.services.archiving.matching import SourceMatcher
from shared.services.archiving.plan_turn import PlanTurn
from shared.services.archiving.series_resets import SeriesResets
from shared.services.archiving.superseding import Superseding, request_superseding


@dataclass(frozen=True, slots=True)
class SeriesReview:
    """What a plan does about one series."""

    series_id: str
    stored: StoredReset | None
    judgement: Judgement
    #: Copies to supersede.
    surplus: tuple[SeriesRow, ...]
    #: The copies of the series in the window, by key.
    rows: Mapping[str, SeriesRow]


class SeriesResetKeeper:
    """Asks about changed series in one plan, and carries out what their owners answered (domain.md 2.17)."""

    def __init__(
        self, ports: ArchivingPorts, context: RunContext, expiry: timedelta, superseding: Superseding
    ) -> None:
        self._superseding = superseding
        self._ports = ports
        self._context = context
        self._expiry = expiry
        self._items = ActionItemKeeper(ports, context, expiry)
        self._window = Span(context.window.start, context.window.end)
        self.asked = 0

    async def begin(self, session: AsyncSession) -> SeriesResets:
        """Load what is open or answered. Plan the superseding that is still due."""
        await self._superseding.plan(session)
        return SeriesResets(self._context, await self._repository(session).stored())

    async def pair(
        self, turn: PlanTurn, matcher: SourceMatcher, resets: SeriesResets, met: Container[str]
    ) -> bool:
        """Give rows of vanished dates to new events of these dates. Whether to read the pages once more."""
        new = {
            series: days
            for series, taken in resets.taken.items()
            if (days := [each.now for each in taken.values() if each.archived is None and each.now])
        }
        if not new:
            return False
        async with turn.session() as session:
            rows = await self._repository(session).rows(new, self._window.start, self._window.end)
            unmet = [row.key for each in rows.values() for row in each if row.key not in met]
            entries = await self._context.archived_events(session).by_keys(unmet)
        gone = await matcher.are_gone(entries.values()) if entries else set()
        pairs: list[tuple[str, str]] = []
        for series, days in new.items():
            vanished = [row._replace(gone=row.key in gone) for row in rows.get(series, ())]
            pairs += take_series(self._dated(self._gone(vanished, resets)), self._dated(days))
        if pairs:
            await matcher.hand_on([(entries[row], resets.events[event], event) for row, event in pairs])
        return bool(pairs)

    async def finish(self, session: AsyncSession, resets: SeriesResets, met: Container[str]) -> None:
        """Supersede surplus copies of series that the owner takes, and ask about other differences.

        ``met`` are the keys of the events that were read.
        """
        reviews = await self._review(session, resets, met)
        for each in reviews:
            await self._carry_out(session, each, resets)
        if await request_superseding(
            session,
            self._ports,
            self._context.owner_id,
            self._context.configuration_id,
            [row.id for each in reviews for row in each.surplus],
            because="replaced" if resets.replaces else "take_series",
        ):
            await self._superseding.plan(session)

    async def _review(
        self, session: AsyncSession, resets: SeriesResets, met: Container[str]
    ) -> list[SeriesReview]:
        """What to do about each series that needs anything. Changes nothing."""
        window = self._window
        rows = await self._repository(session).rows(resets.series, window.start, window.end)
        return [self._reviewed(resets, series, rows.get(series, ()), met) for series in sorted(resets.series)]

    def _reviewed(
        self, resets: SeriesResets, series: str, rows: Sequence[SeriesRow], met: Container[str]
    ) -> SeriesReview:
        vanished = {row.key: Difference(_archived(row), None) for row in self._gone(rows, resets)}
        by_key = {row.key: row for row in rows}
        taken = resets.surplus(series, vanished, by_key.keys(), met)
        surplus = {key: row for key, row in by_key.items() if key in taken}
        stored, found = resets.stored.get(series), dict(resets.found.get(series, {}))
        known = None if stored is None else stored.reset
        for key, each in vanished.items():
            # A meeting that vanished belongs to a change of its series. It is no change alone.
            shown = known.get(key) if known is not None else None
            part = bool(resets.found.get(series)) or (shown is not None and shown.archived is not None)
            if part and key not in surplus:
                found.setdefault(key, each)
        touched = known is not None and any(self._window.holds(each.start) for each in known.differences)
        judgement = Judgement(ResetStep.NOTHING)
        if found or touched or series in resets.shapes:
            wanted = [each for each in found.values() if each.archived is None or each.key in by_key]
            moved = [each for each in resets.moved(series) if each.key in by_key]
            judgement = judge(known, resets.shapes.get(series), self._window, wanted, moved)
        return SeriesReview(series, stored, judgement, tuple(surplus.values()), by_key)

    async def _carry_out(self, session: AsyncSession, review: SeriesReview, resets: SeriesResets) -> None:
        stored, judgement, now = review.stored, review.judgement, self._ports.clock.now()
        if judgement.step is ResetStep.NOTHING or judgement.seen is None:
            return
        if judgement.step is ResetStep.CLOSE:
            assert stored is not None  # noqa: S101 - only what is asked is closed
            reason = CloseReason.SOURCE_TAKEN if resets.replaces else CloseReason.SETTLED_ITSELF
            await self._items.close(session, [stored.item_id], reason)
            return
        shown = ShownReset(
            stored.item_id if stored is not None else uuid4(),
            review.series_id,
            judgement.shape,
            judgement.seen,
            judgement.differences,
            tuple(self._events(judgement.differences, resets.events, review.rows)),
        )
        repository, expires, remind = self._repository(session), now + self._expiry, now + REMIND_AFTER[0]
        if judgement.step is ResetStep.EXTEND:
            await repository.see_more(shown, now)
        elif judgement.step is ResetStep.REFRESH:
            await repository.show(shown, now, "its events changed")
        elif judgement.step is ResetStep.REOPEN:
            await repository.ask_again(shown, now, expires, remind)
            await self._items.record(session, "action_item.reopened", {"items": [str(shown.item_id)]})
            await self._asked(session, 1)
        elif await repository.open(self._context.tenant_id, shown, now, expires, remind):
            told = {str(shown.item_id): {"question": str(Question.SERIES_CHANGED)}}
            await self._items.record(session, "action_item.opened", {"items": told})
            question = AskedItem(Question.SERIES_CHANGED, shown.about, shown.events)
            alike = await self._items.answer_alike(session, {shown.item_id: question}, now)
            await self._asked(session, 1 - alike)

    async def _asked(self, session: AsyncSession, count: int) -> None:
        self.asked += count
        await self._items.tell(session, count, self._ports.clock.now())

    def _events(
        self,
        differences: Iterable[Difference],
        events: Mapping[str, SourceEvent],
        rows: Mapping[str, SeriesRow],
    ) -> Iterable[ItemEvent]:
        """The two sides of each difference that this plan saw. The other sides are stored already."""
        for each in differences:
            row = rows.get(each.key)
            if each.archived is not None and row is not None:
                yield ItemEvent(
                    Side.ARCHIVED,
                    each.archived.key,
                    row.source_id,
                    row.revision,
                    each.archived.start,
                    each.archived.end,
                    row_id=row.id,
                )
            event = events.get(each.key)
            if each.now is not None and event is not None:
                yield ItemEvent(
                    Side.NEW,
                    each.now.key,
                    event.id,
                    revision(event),
                    each.now.start,
                    each.now.end,
                    record=shown_in_item(event),
                )

    def _gone(self, rows: Iterable[SeriesRow], resets: SeriesResets) -> list[SeriesRow]:
        """Rows whose meetings the series does not show any more.

        Of the old series before a split, these are the rows after its last remaining date, and the rows that
        an item shows. An earlier meeting was deleted from the old series itself.
        """
        rows = list(rows)
        former = [row for row in rows if not row.own]
        living = {self._day(row) for row in former if not row.gone}
        handed = {each.key for each in of_predecessor(self._dated(r for r in former if r.gone), living)}
        handed |= {row.key for row in former if resets.shows(row.key)}
        return [row for row in rows if row.gone and (row.own or row.key in handed)]

    def _dated(self, meetings: Iterable[SeriesRow | Occurrence]) -> list[Dated]:
        return [Dated(each.key, self._day(each), each.start) for each in meetings]

    def _day(self, meeting: SeriesRow | Occurrence) -> date:
        return meeting.start.astimezone(self._context.window.zone).date()

    def _repository(self, session: AsyncSession) -> SeriesItemRepository:
        return SeriesItemRepository(session, self._context.owner_id, self._context.configuration_id)


def _archived(row: SeriesRow) -> Occurrence:
    return Occurrence(row.key, row.start, row.end)

"""Keeps action items in step from one plan to the next (domain.md 2.16, 2.17).

A plan describes each question as an ``AskedItem`` and passes all of them to ``keep``. Questions that are
already stored stay as they are, so an unchanged run writes nothing. Questions that the plan could judge, and
does not ask again, are closed. ``live`` returns items that are open or answered. ``carried_out`` records that
an answer was applied. ``superseding.supersede`` supersedes a copy.
"""

from collections.abc import Collection, Mapping, Sequence
from copy import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.repositories.action_items.action_items import ActionItemRepository
from shared.database.repositories.action_items.plan_items import AskedItem, PlanItemRepository, StoredItem
from shared.database.repositories.notifications.notifications import NotificationRepository
from shared.domain.action_items.items import ActionItemStatus, CloseReason, Question, default_answer
from shared.domain.appointments.appointment_record import AppointmentRecord, appointment_record
from shared.domain.events.source_event import SourceEvent
from shared.domain.json_object import JsonObject
from shared.domain.notifications.notification import Recipient
from shared.domain.notifications.notification_texts import items_opened, items_opened_id
from shared.domain.overlaps.reminders import REMIND_AFTER
from shared.services.archiving.context import ArchivingPorts, RunContext

#: If a run could not carry an answer out, the timer asks for another run after this time.
_AGAIN_AFTER = timedelta(hours=6)


def shown_in_item(event: SourceEvent) -> AppointmentRecord:
    """What an item stores of a new event. The event is read again before it is archived."""
    return replace(appointment_record(event), body="", attendees=())


class ActionItemKeeper:
    """Loads the stored items for a plan and stores the questions that the plan asks."""

    def __init__(self, ports: ArchivingPorts, context: RunContext, expiry: timedelta = timedelta()) -> None:
        self._ports = ports
        self._context = context
        self._expiry = expiry
        # All items of one plan get the same instant, so their reminders come together.
        self._remind_at = ports.clock.now() + REMIND_AFTER[0]

    def _items(self, session: AsyncSession) -> PlanItemRepository:
        return PlanItemRepository(session, self._context.owner_id, self._context.configuration_id)

    async def live(
        self, session: AsyncSession, start: datetime, end: datetime, questions: Collection[Question]
    ) -> list[StoredItem]:
        """Items that touch ``[start, end)`` and are open, or answered and not carried out yet."""
        return await self._items(session).live(start, end, questions)

    async def keep(
        self,
        session: AsyncSession,
        asked: Sequence[AskedItem],
        judged: Sequence[StoredItem],
    ) -> None:
        """Make ``asked`` the open items. ``judged`` are the stored items that this plan could judge.

        The owner is notified of new items in the same transaction. If the owner already answered the same
        question for another archive, that answer is used here too (2.18).
        """
        now = self._ports.clock.now()
        wanted = {each.about: each for each in asked}
        stored = {each.about: each for each in judged if each.is_open}
        over = [each.id for about, each in stored.items() if about not in wanted]
        await self.close(session, over, CloseReason.SETTLED_ITSELF)
        changed = {
            each.id: wanted[about]
            for about, each in stored.items()
            if about in wanted and _shown(wanted[about]) != _known(each)
        }
        items = self._items(session)
        await items.refresh(changed, now)
        fresh = [(uuid4(), each, self._expires(each, now)) for each in asked if each.about not in stored]
        opened = await items.open(self._context.tenant_id, fresh, now, self._remind_at)
        news = {item_id: each for item_id, each, _ in fresh if item_id in opened}
        if news:
            told = {str(item_id): {"question": str(each.question)} for item_id, each in news.items()}
            await self.record(session, "action_item.opened", {"items": told})
            unanswered = len(news) - await self.answer_alike(session, news, now)
            await self.tell(session, unanswered, now)

    async def reopen(self, session: AsyncSession, ids: Collection[UUID]) -> None:
        """Ask answered items again if they are not carried out and their events changed."""
        reopened = await self._items(session).reopen(ids, self._ports.clock.now(), self._remind_at)
        if reopened:
            await self.record(session, "action_item.reopened", {"items": sorted(map(str, reopened))})

    async def close(self, session: AsyncSession, ids: Collection[UUID], reason: CloseReason) -> None:
        """Close items that have no question left."""
        closed = await self._items(session).close(ids, reason, self._ports.clock.now())
        if closed:
            told = {"items": sorted(map(str, closed)), "reason": str(reason)}
            await self.record(session, "action_item.closed", told)

    async def carried_out(self, session: AsyncSession, ids: Collection[UUID]) -> None:
        """Record that these answers were carried out."""
        done = await self._items(session).carried_out(ids, self._ports.clock.now())
        if done:
            await self.record(session, "action_item.carried_out", {"items": sorted(map(str, done))})

    async def mark_carried_out(self, session: AsyncSession) -> None:
        """At the end of a run, mark the answers that are now in the archive calendar as carried out."""
        start, end = self._context.window.read_range
        items = self._items(session)
        await self.carried_out(session, await items.written(self._context.run_id, start, end))
        began = self._context.started_at or self._context.created_at
        await items.put_off(start, end, began, self._ports.clock.now() + _AGAIN_AFTER)

    async def record(self, session: AsyncSession, action: str, changes: JsonObject) -> None:
        """Write one audit row for everything that the plan did with items."""
        await self._ports.audit.record(
            session, action, "archive_run", self._context.run_id, changes, on_behalf_of=self._context.owner_id
        )

    def _expires(self, asked: AskedItem, now: datetime) -> datetime | None:
        return None if default_answer(asked.question) is None else now + self._expiry

    async def answer_alike(
        self, session: AsyncSession, opened: Mapping[UUID, AskedItem], now: datetime
    ) -> int:
        """Reuse the answers that the owner gave to the same questions in other archives. Returns how many."""
        abouts = {each.about: item_id for item_id, each in opened.items()}
        answered = await self._items(session).answered_alike(set(abouts))
        items = ActionItemRepository(session)
        for about, (answer, by) in answered.items():
            item = await items.get(self._context.owner_id, abouts[about], lock=True)
            if item is not None:
                await items.answer(item, answer, ActionItemStatus.ANSWERED, by, now)
        if answered:
            told = {str(abouts[about]): str(answer) for about, (answer, _) in answered.items()}
            await self.record(session, "action_item.answered_alike", {"items": told})
        return len(answered)

    async def tell(self, session: AsyncSession, opened: int, now: datetime) -> None:
        """Send the owner one notification about all items that this run opened."""
        if not opened:
            return
        context, told = self._context, NotificationRepository(session)
        before = await told.told_count(context.owner_id, items_opened_id(context.run_id))
        notice = items_opened(context.run_id, context.configuration_id, before + opened)
        await told.tell([(Recipient(context.tenant_id, context.owner_id), notice)], now)


def _shown(asked: AskedItem) -> set[tuple[str, str, str]]:
    return {(str(each.side), each.key, each.revision) for each in asked.events}


def _known(stored: StoredItem) -> set[tuple[str, str, str]]:
    return {(str(each.side), each.key, each.revision) for each in (*stored.archived, *stored.new)}

"""Reminds the owner of waiting action items after 1, 3 and 7 days, as for overlaps (domain.md 2.16, 5.8)."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.repositories.action_items.action_items import ActionItemRepository, WaitingItem
from shared.database.repositories.notifications.notifications import NotificationRepository
from shared.domain.action_items.texts import items_reminder
from shared.domain.identity.caller import Caller
from shared.domain.notifications.notification import Notice, Recipient
from shared.domain.overlaps.reminders import DueReminder, due_reminder
from shared.services.audit.recording import AuditWriter
from shared.services.identity.acting import acting_as

#: Enough for one notification about everything that one run opened.
ITEMS_PER_TICK = 5000

type _Due = tuple[WaitingItem, DueReminder]


class ActionItemReminders:
    """Sends due reminders. The items store what was sent, so a missed tick is made up for."""

    def __init__(self, database: Database, clock: Clock, audit: AuditWriter) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit

    async def send_due(self) -> int:
        """Send one notification per archive and due reminder, for all its items. Returns how many."""
        now = self._clock.now()
        async with self._database.session() as session:
            items = ActionItemRepository(session)
            due: dict[tuple[UUID, int], list[_Due]] = defaultdict(list)
            for item in await items.claim_reminders_unscoped(now, ITEMS_PER_TICK):
                reminder = due_reminder(item.remind_at, item.reminders_sent, now)
                if reminder is not None:
                    due[item.configuration_id, reminder.number].append((item, reminder))
            if not due:
                return 0
            claimed = [each for together in due.values() for each in together]
            await items.set_reminded({item.id: (due.number, due.next_at) for item, due in claimed})
            await NotificationRepository(session).tell([_told(together) for together in due.values()], now)
            for together in due.values():
                await self._record(session, together)
        return len(due)

    async def _record(self, session: AsyncSession, together: Sequence[_Due]) -> None:
        first, reminder = together[0]
        with acting_as(Caller.system(first.tenant_id, "sweep_notifications")):
            await self._audit.record(
                session,
                action="action_item.reminded",
                resource_type="archive_configuration",
                resource_id=str(first.configuration_id),
                outcome="success",
                changes={"reminder": reminder.number, "items": sorted(str(item.id) for item, _ in together)},
                on_behalf_of=first.owner_id,
            )


def _told(together: Sequence[_Due]) -> tuple[Recipient, Notice]:
    first, reminder = together[0]
    notice = items_reminder(
        min(item.id for item, _ in together),
        reminder.number,
        first.configuration_id,
        ZoneInfo(first.time_zone),
        len(together),
        min(due.waiting_since for _, due in together),
    )
    return Recipient(first.tenant_id, first.owner_id), notice

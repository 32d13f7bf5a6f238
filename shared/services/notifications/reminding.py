"""Reminds owners of decisions that wait, after 1, 3 and 7 days (domain.md 2.16, 5.8)."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.repositories.action_items.action_items import ActionItemRepository
from shared.database.repositories.decisions import Waiting
from shared.database.repositories.notifications.notifications import NotificationRepository
from shared.database.repositories.overlaps.overlap_groups import OverlapGroupRepository
from shared.domain.identity.caller import Caller
from shared.domain.notifications.notification import Notice, Recipient
from shared.domain.notifications.notification_texts import items_reminder, overlaps_reminder
from shared.domain.overlaps.reminders import DueReminder, StillWaiting, due_reminder
from shared.services.audit.recording import AuditWriter
from shared.services.identity.acting import acting_as

#: Enough for one notification about everything that one run opened.
ROWS_PER_TICK = 5000

type _Due = tuple[Waiting, DueReminder]


@dataclass(frozen=True, slots=True)
class Reminded:
    """A kind of decision: where it waits, its text, and how the audit names it and its ids."""

    repository: type[ActionItemRepository] | type[OverlapGroupRepository]
    text: Callable[[StillWaiting], Notice]
    action: str
    listed: str


OVERLAPS: Final = Reminded(OverlapGroupRepository, overlaps_reminder, "overlap.reminded", "groups")
ACTION_ITEMS: Final = Reminded(ActionItemRepository, items_reminder, "action_item.reminded", "items")


class Reminders:
    """Sends due reminders. The rows store what was sent, so a missed tick is made up for."""

    def __init__(self, database: Database, clock: Clock, audit: AuditWriter, kind: Reminded) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._kind = kind

    async def send_due(self) -> int:
        """Send one notification per archive and due reminder, for all that waits. Returns how many."""
        now = self._clock.now()
        async with self._database.session() as session:
            rows = self._kind.repository(session)
            due: dict[tuple[UUID, int], list[_Due]] = defaultdict(list)
            for row in await rows.claim_reminders_unscoped(now, ROWS_PER_TICK):
                reminder = due_reminder(row.remind_at, row.reminders_sent, now)
                if reminder is not None:
                    due[row.configuration_id, reminder.number].append((row, reminder))
            if not due:
                return 0
            claimed = [each for together in due.values() for each in together]
            await rows.set_reminded({row.id: (due.number, due.next_at) for row, due in claimed})
            told = [self._told(together) for together in due.values()]
            await NotificationRepository(session).tell(told, now)
            for together in due.values():
                await self._record(session, together)
        return len(told)

    async def _record(self, session: AsyncSession, together: Sequence[_Due]) -> None:
        first, reminder = together[0]
        listed = sorted(str(row.id) for row, _ in together)
        with acting_as(Caller.system(first.tenant_id, "sweep_notifications")):
            await self._audit.record(
                session,
                self._kind.action,
                "archive_configuration",
                first.configuration_id,
                {"reminder": reminder.number, self._kind.listed: listed},
                on_behalf_of=first.owner_id,
            )

    def _told(self, together: Sequence[_Due]) -> tuple[Recipient, Notice]:
        first, reminder = together[0]
        waiting = StillWaiting(
            first=min(row.id for row, _ in together),
            number=reminder.number,
            configuration_id=first.configuration_id,
            zone=ZoneInfo(first.time_zone),
            count=len(together),
            since=min(due.waiting_since for _, due in together),
            expires_at=min(
                (row.expires_at for row, _ in together if row.expires_at is not None), default=None
            ),
        )
        return Recipient(first.tenant_id, first.owner_id), self._kind.text(waiting)

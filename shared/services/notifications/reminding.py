"""Reminds the owner of waiting overlaps after 1, 3 and 7 days (domain.md 5.8)."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared import telemetry
from shared.clock import Clock
from shared.database.engine import Database
from shared.database.repositories.notifications.notifications import NotificationRepository
from shared.database.repositories.overlaps.overlap_groups import OverlapGroupRepository, WaitingGroup
from shared.domain.identity.caller import Caller
from shared.domain.notifications.notification import Notice, Recipient
from shared.domain.notifications.notification_texts import overlaps_reminder
from shared.domain.overlaps.reminders import DueReminder, due_reminder
from shared.services.audit.recording import AuditWriter

#: Enough for one notification about everything that one run opened.
GROUPS_PER_TICK = 5000

type _Due = tuple[WaitingGroup, DueReminder]


class OverlapReminders:
    """Sends due reminders. The groups store what was sent, so a missed tick is made up for."""

    def __init__(self, database: Database, clock: Clock, audit: AuditWriter) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit

    async def send_due(self) -> int:
        """Send one notification per archive and due reminder, for all its groups. Returns how many."""
        now = self._clock.now()
        async with self._database.session() as session:
            groups = OverlapGroupRepository(session)
            due: dict[tuple[UUID, int], list[_Due]] = defaultdict(list)
            for group in await groups.claim_reminders_unscoped(now, GROUPS_PER_TICK):
                reminder = due_reminder(group.remind_at, group.reminders_sent, now)
                if reminder is not None:
                    due[group.configuration_id, reminder.number].append((group, reminder))
            if not due:
                return 0
            claimed = [each for together in due.values() for each in together]
            await groups.set_reminded({group.id: (due.number, due.next_at) for group, due in claimed})
            told = [_told(together) for together in due.values()]
            await NotificationRepository(session).tell(told, now)
            for together in due.values():
                await self._record(session, together)
        return len(told)

    async def _record(self, session: AsyncSession, together: Sequence[_Due]) -> None:
        first, reminder = together[0]
        with telemetry.bind(
            caller=Caller.system(first.tenant_id, "sweep_notifications"),
            correlation=telemetry.new_correlation_id(),
            parent_correlation=telemetry.correlation_id.get() or None,
        ):
            await self._audit.record(
                session,
                action="overlap.reminded",
                resource_type="archive_configuration",
                resource_id=str(first.configuration_id),
                outcome="success",
                changes={"reminder": reminder.number, "groups": sorted(str(g.id) for g, _ in together)},
                on_behalf_of=first.owner_id,
            )


def _told(together: Sequence[_Due]) -> tuple[Recipient, Notice]:
    first, reminder = together[0]
    notice = overlaps_reminder(
        min(group.id for group, _ in together),
        reminder.number,
        first.configuration_id,
        ZoneInfo(first.time_zone),
        len(together),
        min(due.waiting_since for _, due in together),
        min((group.expires_at for group, _ in together if group.expires_at is not None), default=None),
    )
    return Recipient(first.tenant_id, first.owner_id), notice

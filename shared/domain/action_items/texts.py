"""Texts of notifications about action items: counts and dates, never an event (domain.md 6.3, 10.1)."""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.domain.notifications.notification import (
    Notice,
    NotificationClass,
    NotificationState,
    NotificationSubject,
)


def items_opened_id(run_id: UUID) -> str:
    """The id of the one notification about all items that a run opened."""
    return f"meeting_needs_you:{run_id}"


def items_opened(run_id: UUID, configuration_id: UUID, count: int) -> Notice:
    """A run found meetings about which their owner must decide (domain.md 2.16, 2.17)."""
    return Notice(
        notification_class=NotificationClass.MEETING_NEEDS_YOU,
        transaction_id=items_opened_id(run_id),
        state=NotificationState.ATTENTION,
        title="Changed meetings need your answer",
        text=f"{_questions(count)} about archived meetings that changed in the calendar"
        f" {'waits' if count == 1 else 'wait'} for your answer. Until then the archived copies count.",
        resource_type=NotificationSubject.ARCHIVE_CONFIGURATION,
        resource_id=configuration_id,
        count=count,
    )


def items_reminder(
    first_item: UUID,
    number: int,
    configuration_id: UUID,
    zone: ZoneInfo,
    count: int,
    waiting_since: datetime,
) -> Notice:
    """Items of an archive still wait, the longest since ``waiting_since``.

    ``first_item`` and ``number`` identify the reminder.
    """
    day = waiting_since.astimezone(zone)
    return Notice(
        notification_class=NotificationClass.MEETING_NEEDS_YOU,
        transaction_id=f"item_reminder:{first_item}:{number}:{waiting_since.isoformat()}",
        state=NotificationState.ATTENTION,
        title="Changed meetings still need your answer",
        text=f"{_questions(count)} about archived meetings {'has' if count == 1 else 'have'} been waiting for"
        f" your answer since {day.day} {day:%B %Y}.",
        resource_type=NotificationSubject.ARCHIVE_CONFIGURATION,
        resource_id=configuration_id,
        count=count,
    )


def _questions(count: int) -> str:
    return f"{count} question" if count == 1 else f"{count} questions"

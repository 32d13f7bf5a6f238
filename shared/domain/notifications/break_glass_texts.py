"""Notifications to a person whose data somebody else reads or exports (domain.md 6.3, 15.2)."""

from datetime import datetime
from uuid import UUID

from shared.domain.notifications.notification import (
    Notice,
    NotificationClass,
    NotificationState,
    NotificationSubject,
)


def opened_notice(access_id: UUID, reader: str, reason: str, ends_at: datetime) -> Notice:
    """To the person: somebody reads their private events, why and until when."""
    text = (
        f"{reader} opened an emergency access to your private events until {ends_at:%d %B %Y %H:%M} UTC. "
        f"Reason: {reason}"
    )
    subject = NotificationSubject.BREAK_GLASS_ACCESS
    return _notice(access_id, subject, "opened", "Your private events are read", text)


def closed_notice(access_id: UUID) -> Notice:
    """To the person: the access was closed early."""
    text = "The emergency access to your private events was closed before its time."
    subject = NotificationSubject.BREAK_GLASS_ACCESS
    return _notice(access_id, subject, "closed", "An emergency access was closed", text)


def exported_notice(export_id: UUID, reader: str, *, private: bool) -> Notice:
    """To the person: somebody else requested an export of their data (domain.md 15.2)."""
    held = (
        "It holds your private events, by an emergency access."
        if private
        else "Of your private events it holds the times alone."
    )
    text = f"{reader} asked for an export of your data. {held}"
    return _notice(export_id, NotificationSubject.USER_EXPORT, "requested", "Your data is exported", text)


def _notice(resource_id: UUID, subject: NotificationSubject, about: str, title: str, text: str) -> Notice:
    return Notice(
        notification_class=NotificationClass.DATA_ACCESS,
        transaction_id=f"{subject}:{resource_id}:{about}",
        state=NotificationState.ATTENTION,
        title=title,
        text=text,
        resource_type=subject,
        resource_id=resource_id,
    )

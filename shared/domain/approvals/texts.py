"""Notifications about the reading of a mailbox (domain.md 6.5, 10.1)."""

from datetime import datetime
from uuid import UUID

from shared.domain.notifications.notification import (
    Audience,
    Notice,
    NotificationClass,
    NotificationState,
    NotificationSubject,
)


def asked_for(approval_id: UUID, reader: str, purpose: str, days: int) -> Notice:
    """To the person read: somebody asks to archive their calendar."""
    asks = f"{reader} asks to archive your calendar ({_what(purpose)}) for {days} days."
    text = f"{asks} An Admin decides; you may object."
    return _notice(
        approval_id, "asked", NotificationState.ATTENTION, "Somebody wants to archive your calendar", text
    )


def starts_by_itself(approval_id: UUID, reader: str, purpose: str, starts_at: datetime) -> Notice:
    """To the person read: there is no other Admin, so it starts unless they object."""
    text = (
        f"{reader} asks to archive your calendar ({_what(purpose)}). There is no other Admin to decide. "
        f"It starts on {starts_at:%d %B %Y} unless you object; you may agree before."
    )
    return _notice(
        approval_id, "asked", NotificationState.ATTENTION, "Somebody wants to archive your calendar", text
    )


def given(approval_id: UUID, reader: str, purpose: str, ends_at: datetime) -> Notice:
    """To the person read: it was approved, or renewed."""
    text = (
        f"{reader} archives your calendar ({_what(purpose)}) until {ends_at:%d %B %Y}. "
        "Of private events only the times are read. You may object at any time."
    )
    return _notice(approval_id, "given", NotificationState.ATTENTION, "Your calendar is archived", text)


def decided_after_objection(approval_id: UUID, reason: str, *, goes_on: bool) -> Notice:
    """To the person read: an Admin decided about their objection, and why."""
    what = "goes on" if goes_on else "has ended"
    text = f"An Admin decided about your objection: archiving your calendar {what}. Reason: {reason}"
    return _notice(approval_id, "objection", NotificationState.ATTENTION, "Your objection was decided", text)


def over(approval_id: UUID, why: str) -> Notice:
    """To the owner of the configuration: it no longer runs."""
    text = (
        f"The approval to archive another person's calendar {why}. Nothing runs until it is approved again."
    )
    return _notice(approval_id, "over", NotificationState.ATTENTION, "An approval has ended", text)


def waits_for_admin(approval_id: UUID, *, objection: bool) -> Notice:
    """To the Admins: a request or an objection waits for one of them."""
    what = (
        "A person objected to the archiving of their calendar"
        if objection
        else "A request to archive another person's calendar"
    )
    return _notice(
        approval_id,
        "objected" if objection else "waits",
        NotificationState.ATTENTION,
        "Archiving another's mailbox",
        f"{what}{'; it has stopped until' if objection else ' waits until'} another Admin decides.",
        audience=Audience.ADMINS,
    )


def _what(purpose: str) -> str:
    return "billable time and travel" if purpose == "timesheet" else "every event"


def _notice(
    approval_id: UUID,
    about: str,
    state: NotificationState,
    title: str,
    text: str,
    audience: Audience = Audience.OWNER,
) -> Notice:
    return Notice(
        notification_class=NotificationClass.MAILBOX_READ,
        transaction_id=f"mailbox_approval:{approval_id}:{about}",
        state=state,
        title=title,
        text=text,
        resource_type=NotificationSubject.MAILBOX_APPROVAL,
        resource_id=approval_id,
        audience=audience,
    )

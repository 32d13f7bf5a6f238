"""What people are told."""

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.composition.foundations import Foundations
    from shared.services.notifications.mailing import MailSending
    from shared.services.notifications.reading import NotificationService
    from shared.services.notifications.reminding import Reminders


class NotificationsRoom:
    """What people are told. Each part is built when first asked for."""

    def __init__(self, foundations: "Foundations") -> None:
        self._base = foundations

    @cached_property
    def inbox(self) -> "NotificationService":
        """What people were told."""
        from shared.services.notifications.reading import NotificationService

        return NotificationService(self._base.database, self._base.clock, self._base.audit_writer)

    @cached_property
    def overlap_reminders(self) -> "Reminders":
        """Reminders of overlaps that wait."""
        from shared.services.notifications.reminding import OVERLAPS, Reminders

        return Reminders(self._base.database, self._base.clock, self._base.audit_writer, OVERLAPS)

    @cached_property
    def item_reminders(self) -> "Reminders":
        """Reminders of action items that wait."""

        from shared.services.notifications.reminding import ACTION_ITEMS, Reminders

        return Reminders(self._base.database, self._base.clock, self._base.audit_writer, ACTION_ITEMS)

    @cached_property
    def mail(self) -> "MailSending":
        """What sends mail to people who are no users."""
        from shared.graph.mail import GraphMail
        from shared.services.notifications.mailing import MailSending

        posts = GraphMail(self._base.graph)
        return MailSending(
            self._base.database, self._base.clock, self._base.audit_writer, posts, self._base.mail_senders
        )


def build(foundations: "Foundations") -> NotificationsRoom:
    """The room; nothing in it is built yet."""
    return NotificationsRoom(foundations)

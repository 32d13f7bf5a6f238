"""What people see of their archive, decide and are told."""

from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from shared.composition.foundations import Foundations
    from shared.services.action_items.answering import ActionItemAnswering
    from shared.services.action_items.reading import ActionItemService
    from shared.services.appointments.general_reading import GeneralReading
    from shared.services.appointments.reading import AppointmentService
    from shared.services.categories.catalogue import OutlookCategories
    from shared.services.categories.services import CategoryServices
    from shared.services.months.needs_attention import NeedsAttentionService
    from shared.services.months.reading import MonthService
    from shared.services.notifications.mailing import MailSending
    from shared.services.notifications.reading import NotificationService
    from shared.services.notifications.reminding import Reminders
    from shared.services.overlaps.reading import OverlapService
    from shared.services.overlaps.resolving import OverlapResolving


class ReviewRoom:
    """What people see of their archive, decide and are told."""

    def __init__(self, foundations: "Foundations") -> None:
        self._base = foundations

    @cached_property
    def appointments(self) -> "AppointmentService":
        """The record of what was archived."""
        from shared.services.appointments.reading import AppointmentService

        return AppointmentService(self._base.database, self._base.settings, lambda: self._general_reading)

    @cached_property
    def _general_reading(self) -> "GeneralReading":
        from shared.services.appointments.general_reading import GeneralReading

        return GeneralReading(self._base.database, lambda: self._base.audit_writer)

    @cached_property
    def overlaps(self) -> "OverlapService":
        """Groups of overlapping events."""
        from shared.services.overlaps.reading import OverlapService

        return OverlapService(self._base.database, self._base.audit_writer)

    @cached_property
    def overlap_resolving(self) -> "OverlapResolving":
        """Decisions about overlapping events."""
        from shared.services.overlaps.resolving import OverlapResolving

        return OverlapResolving(self._base.archiving_ports)

    @cached_property
    def action_items(self) -> "ActionItemService":
        """Questions about archived meetings."""
        from shared.services.action_items.reading import ActionItemService

        return ActionItemService(self._base.database, self._base.audit_writer)

    @cached_property
    def answering(self) -> "ActionItemAnswering":
        """Answers to action items."""
        from shared.services.action_items.answering import ActionItemAnswering

        return ActionItemAnswering(self._base.archiving_ports)

    @cached_property
    def categories(self) -> "CategoryServices":
        """Categories: both stores, reports, suggestions, rules."""
        from shared.services.categories.services import CategoryServices

        ports = self._base.database, self._base.calendar_stores, self._no_outlook
        return CategoryServices.create(
            *ports, self._base.clock, self._base.settings, self._base.audit_writer, self._base.system_settings
        )

    def _no_outlook(self, mailbox: UUID) -> "OutlookCategories":
        raise RuntimeError("a request says as whom it reaches Outlook")

    @cached_property
    def needs_attention(self) -> "NeedsAttentionService":
        """All that needs a person, in one list."""
        from shared.services.months.needs_attention import NeedsAttentionService

        return NeedsAttentionService(self._base.database, self._base.clock, self._base.settings)

    @cached_property
    def months(self) -> "MonthService":
        """The month of a person, out of the archive."""
        from shared.services.months.reading import MonthService

        return MonthService(self._base.database, self._base.clock, self._base.settings)

    @cached_property
    def notifications(self) -> "NotificationService":
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
    def mail_sending(self) -> "MailSending":
        """What sends mail to people who are no users."""
        from shared.graph.mail import GraphMail
        from shared.services.notifications.mailing import MailSending

        posts = GraphMail(self._base.graph)
        return MailSending(
            self._base.database, self._base.clock, self._base.audit_writer, posts, self._base.mail_senders
        )


def build(foundations: "Foundations") -> ReviewRoom:
    """The room. Each part is built when first asked for."""
    return ReviewRoom(foundations)

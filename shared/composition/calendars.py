"""The services for calendars and categories."""

from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

from shared.composition.foundations import Foundations

if TYPE_CHECKING:
    from shared.services.calendars.listing import CalendarService
    from shared.services.calendars.local_calendars import LocalCalendarService
    from shared.services.calendars.local_events import LocalEventService
    from shared.services.categories.catalogue import OutlookCategories
    from shared.services.categories.services import CategoryServices
    from shared.services.months.needs_attention import NeedsAttentionService
    from shared.services.months.reading import MonthService


class CalendarParts(Foundations):
    """Calendars of both stores, and categories."""

    @cached_property
    def calendar_service(self) -> "CalendarService":
        """Calendars of persons, in both stores."""
        from shared.services.calendars.listing import CalendarService

        return CalendarService(self.database, self.local_calendars, self.audit_writer)

    @cached_property
    def local_calendar_service(self) -> "LocalCalendarService":
        """Calendars kept in our database."""
        from shared.services.calendars.local_calendars import LocalCalendarService

        return LocalCalendarService(self.database, self.clock, self.audit_writer)

    @cached_property
    def local_events(self) -> "LocalEventService":
        """Events of calendars kept in our database."""
        from shared.services.calendars.local_events import LocalEventService

        return LocalEventService(
            self.database, self.clock, self.settings, self.audit_writer, self.system_settings
        )

    @cached_property
    def categories(self) -> "CategoryServices":
        """Categories: both stores, reports, suggestions, rules."""
        from shared.services.categories.services import CategoryServices

        ports = self.database, self.calendar_stores, self._no_outlook
        return CategoryServices.create(
            *ports, self.clock, self.settings, self.audit_writer, self.system_settings
        )

    def _no_outlook(self, mailbox: UUID) -> "OutlookCategories":
        raise RuntimeError("a request says as whom it reaches Outlook")

    @cached_property
    def needs_attention(self) -> "NeedsAttentionService":
        """All that needs a person, in one list."""
        from shared.services.months.needs_attention import NeedsAttentionService

        return NeedsAttentionService(self.database, self.clock, self.settings)

    @cached_property
    def months(self) -> "MonthService":
        """The month of a person, out of the archive."""
        from shared.services.months.reading import MonthService

        return MonthService(self.database, self.clock, self.settings)

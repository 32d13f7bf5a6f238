"""Calendars of both stores, and their archive configurations."""

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.composition.foundations import Foundations
    from shared.services.calendars.listing import CalendarService
    from shared.services.calendars.local_calendars import LocalCalendarService
    from shared.services.calendars.local_events import LocalEventService
    from shared.services.configurations.changes import ConfigurationChanges
    from shared.services.configurations.saving import ArchiveConfigurationService


class CalendarsRoom:
    """Calendars of both stores, and their archive configurations."""

    def __init__(self, foundations: "Foundations") -> None:
        self._base = foundations

    @cached_property
    def listing(self) -> "CalendarService":
        """Calendars of persons, in both stores."""
        from shared.services.calendars.listing import CalendarService

        return CalendarService(self._base.database, self._base.local_calendars, self._base.audit_writer)

    @cached_property
    def local_calendars(self) -> "LocalCalendarService":
        """Calendars kept in our database."""
        from shared.services.calendars.local_calendars import LocalCalendarService

        return LocalCalendarService(self._base.database, self._base.clock, self._base.audit_writer)

    @cached_property
    def local_events(self) -> "LocalEventService":
        """Events of calendars kept in our database."""
        from shared.services.calendars.local_events import LocalEventService

        return LocalEventService(
            self._base.database,
            self._base.clock,
            self._base.settings,
            self._base.audit_writer,
            self._base.system_settings,
        )

    @cached_property
    def configurations(self) -> "ArchiveConfigurationService":
        """Archive configurations."""
        from shared.services.configurations.saving import ArchiveConfigurationService

        return ArchiveConfigurationService(
            self._base.database, self._base.calendar_stores, self._base.clock, self._base.system_settings
        )

    @cached_property
    def configuration_changes(self) -> "ConfigurationChanges":
        """Changes of archive configurations."""
        from shared.services.configurations.changes import ConfigurationChanges

        return ConfigurationChanges(self._base.database, self._base.clock, self._base.audit_writer)


def build(foundations: "Foundations") -> CalendarsRoom:
    """The room. Each part is built when first asked for."""
    return CalendarsRoom(foundations)

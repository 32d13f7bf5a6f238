"""All category services together."""

from dataclasses import dataclass
from typing import Self

from shared.clock import Clock
from shared.database.engine import Database
from shared.domain.calendars.calendar_port import Calendars
from shared.services.audit.recording import AuditWriter
from shared.services.categories.applying import CategoryApplying
from shared.services.categories.catalogue import CategoryCatalogue, OutlookOf
from shared.services.categories.hours import CategoryHours
from shared.services.categories.reports import CategoryReports
from shared.services.categories.rules import CategoryRules
from shared.services.categories.suggestions import CategorySuggestions
from shared.services.categories.upcoming import UpcomingSuggestions
from shared.services.operation.system_settings import SystemSettings
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class CategoryServices:
    """The use cases of domain.md 3."""

    catalogue: CategoryCatalogue
    reports: CategoryReports
    hours: CategoryHours
    suggestions: CategorySuggestions
    upcoming: UpcomingSuggestions
    applying: CategoryApplying
    rules: CategoryRules

    @classmethod
    def create(
        cls,
        database: Database,
        calendars: Calendars,
        outlook: OutlookOf,
        clock: Clock,
        settings: Settings,
        audit: AuditWriter,
        system_settings: SystemSettings,
    ) -> Self:
        """Create all of them with the same ports."""
        return cls(
            CategoryCatalogue(database, outlook, clock, audit),
            CategoryReports(database, settings),
            CategoryHours(database, settings),
            CategorySuggestions(database, settings),
            UpcomingSuggestions(database, calendars),
            CategoryApplying(database, calendars, settings, audit),
            CategoryRules(database, clock, audit, system_settings),
        )

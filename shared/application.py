"""Builds the services, once per worker, and closes what they hold open.

Each part has a typed factory, built when first asked for and replaceable: ``Application(settings,
clock=…, database=…)`` in tests. Heavy modules load inside the factories (cold start).
"""

from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import TYPE_CHECKING

from shared import telemetry
from shared.clock import Clock, SystemClock
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.database.engine import Database
    from shared.graph.calendar_adapter import CalendarAdapter
    from shared.graph.client import GraphClient
    from shared.services.appointments import AppointmentService
    from shared.services.archive_configurations import ArchiveConfigurationService
    from shared.services.archive_runs import ArchiveRunService
    from shared.services.archiving.service import ArchivingService
    from shared.services.audit import AuditWriter
    from shared.services.audit_sealing import AuditSealer
    from shared.services.audit_trail import AuditTrail
    from shared.services.audit_verification import AuditVerifier
    from shared.services.configuration_changes import ConfigurationChanges
    from shared.services.health import HealthService
    from shared.services.idempotency import IdempotencyService
    from shared.services.person_keys import PersonKeys
    from shared.services.rate_limit import RateLimit
    from shared.services.tokens import TokenValidator
    from shared.services.users import UserService


class Application:
    """The services of one worker, on one event loop."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        clock: Clock | None = None,
        database: "Database | None" = None,
        calendars: "CalendarAdapter | None" = None,
        tokens: "TokenValidator | None" = None,
    ) -> None:
        self.settings = settings or Settings()
        telemetry.configure_logging(self.settings.log_level)
        self.clock = clock or SystemClock()
        self._closers: list[Callable[[], Awaitable[None]]] = []
        # A cached property that is in the instance's dictionary already is never built.
        given = {"database": database, "calendars": calendars, "tokens": tokens}
        self.__dict__.update({name: part for name, part in given.items() if part is not None})

    @cached_property
    def database(self) -> "Database":
        """PostgreSQL."""
        from shared.database.engine import Database

        database = Database(self.settings)
        self._closers.append(database.close)
        return database

    @cached_property
    def graph(self) -> "GraphClient":
        """The connection to Microsoft Graph."""
        from shared.graph.client import GraphClient

        client = GraphClient.create(self.settings)
        self._closers.append(client.close)
        return client

    @cached_property
    def calendars(self) -> "CalendarAdapter":
        """Calendars at Graph; a mailbox's pause binds every process through the database."""
        from shared.graph.calendar_adapter import CalendarAdapter
        from shared.graph.throttle import Throttle
        from shared.services.mailbox_pauses import MailboxPauses

        throttle = Throttle(MailboxPauses(self.database), self.clock)
        return CalendarAdapter(self.graph, throttle)

    @cached_property
    def tokens(self) -> "TokenValidator":
        """Who presents an access token."""
        from shared.services.signing_keys import KeyCache
        from shared.services.tokens import TokenValidator

        validator = TokenValidator(self.settings, KeyCache(self.settings.authority, self.clock))
        self._closers.append(validator.close)
        return validator

    @cached_property
    def users(self) -> "UserService":
        """Users."""
        from shared.services.users import UserService

        return UserService(self.database, self.calendars, self.clock, self.audit_writer)

    @cached_property
    def archive_configurations(self) -> "ArchiveConfigurationService":
        """Archive configurations."""
        from shared.services.archive_configurations import ArchiveConfigurationService

        return ArchiveConfigurationService(self.database, self.calendars, self.clock, self.settings)

    @cached_property
    def configuration_changes(self) -> "ConfigurationChanges":
        """Changes of archive configurations."""
        from shared.services.configuration_changes import ConfigurationChanges

        return ConfigurationChanges(self.database, self.clock, self.audit_writer)

    @cached_property
    def archive_runs(self) -> "ArchiveRunService":
        """Archive runs, looked at and cancelled."""
        from shared.services.archive_runs import ArchiveRunService

        return ArchiveRunService(self.database, self.clock, self.audit_writer)

    @cached_property
    def audit_writer(self) -> "AuditWriter":
        """The audit of changes that the services make."""
        from shared.services.audit import AuditWriter

        return AuditWriter(self.clock, self.person_keys)

    @cached_property
    def appointments(self) -> "AppointmentService":
        """The record of what was archived."""
        from shared.services.appointments import AppointmentService

        return AppointmentService(self.database, self.clock, self.settings)

    @cached_property
    def archiving(self) -> "ArchivingService":
        """Archive runs."""
        from shared.services.archiving.context import ArchivingPorts
        from shared.services.archiving.service import ArchivingService

        ports = ArchivingPorts(
            self.database, self.calendars, self.clock, self.settings, person_keys=self.person_keys
        )
        return ArchivingService(ports)

    @cached_property
    def person_keys(self) -> "PersonKeys | None":
        """The keys of persons; None where no store of keys is set."""
        from shared.services.person_key_stores import open_key_store
        from shared.services.person_keys import PersonKeys

        store = open_key_store(self.settings)
        if store is None:
            return None
        keys = PersonKeys(store, self.clock)
        self._closers.append(keys.close)
        return keys

    @cached_property
    def audit(self) -> "AuditTrail":
        """Reading the audit."""
        from shared.services.audit_trail import AuditTrail

        return AuditTrail(self.database, self.person_keys)

    @cached_property
    def audit_verifier(self) -> "AuditVerifier":
        """Checking the audit's chain."""
        from shared.services.audit_verification import AuditVerifier

        return AuditVerifier(self.database, self.clock)

    @cached_property
    def audit_sealer(self) -> "AuditSealer":
        """Sealing the audit."""
        from shared.services.audit_sealing import AuditSealer

        return AuditSealer(self.database, self.clock)

    @cached_property
    def idempotency(self) -> "IdempotencyService":
        """Changes that may be asked for twice."""
        from shared.services.idempotency import IdempotencyService

        return IdempotencyService(self.database, self.clock)

    @cached_property
    def rate_limit(self) -> "RateLimit":
        """How many requests one caller may send to this instance."""
        from shared.services.rate_limit import RateLimit

        settings = self.settings
        return RateLimit(settings.rate_limit_per_second, settings.rate_limit_burst, self.clock)

    @cached_property
    def health(self) -> "HealthService":
        """Whether the app can work."""
        from shared.services.health import HealthService

        return HealthService(self.database, self.tokens)

    async def close(self) -> None:
        """Close what was built, last first; every part is closed even if another one fails to."""
        failures: list[Exception] = []
        while self._closers:
            try:
                await self._closers.pop()()
            except Exception as failure:
                failures.append(failure)
        if failures:
            raise ExceptionGroup("closing the application", failures)


_current: Application | None = None


def get_application() -> Application:
    """The worker's application, built at the first call."""
    global _current
    if _current is None:
        _current = Application()
    return _current


def use_application(application: Application | None) -> Application | None:
    """Replace the worker's application; returns the one before."""
    global _current
    before, _current = _current, application
    return before

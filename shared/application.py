"""Builds the services, once per worker, and closes what they hold open.

Each part has a typed factory, built when first asked for and replaceable: ``Application(settings,
clock=…, database=…)`` in tests. Heavy modules load inside the factories (cold start).
"""

from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import TYPE_CHECKING

from shared import telemetry
from shared.clock import Clock, SystemClock

if TYPE_CHECKING:
    from shared.database.engine import Database
    from shared.database.repositories.person_data import Person
    from shared.graph.calendar_adapter import CalendarAdapter
    from shared.graph.client import GraphClient
    from shared.graph.on_behalf import OnBehalfTokens, SignedIn
    from shared.graph.throttle import Throttle
    from shared.services.appointments import AppointmentService
    from shared.services.archive_configurations import ArchiveConfigurationService
    from shared.services.archive_runs import ArchiveRunService
    from shared.services.archiving.context import ArchivingPorts
    from shared.services.archiving.owner_edits import OwnerEdits
    from shared.services.archiving.previewing import Previewer
    from shared.services.archiving.service import ArchivingService
    from shared.services.audit import AuditWriter
    from shared.services.audit_sealing import AuditSealer
    from shared.services.audit_trail import AuditTrail
    from shared.services.audit_verification import AuditVerifier
    from shared.services.backfilling import BackfillService
    from shared.services.calendar_store import CalendarStores
    from shared.services.calendars import CalendarService
    from shared.services.categories.services import CategoryServices
    from shared.services.configuration_changes import ConfigurationChanges
    from shared.services.first_sign_in import FirstSignInService
    from shared.services.health import HealthService
    from shared.services.idempotency import IdempotencyService
    from shared.services.invitations import InvitationService
    from shared.services.local_calendar_store import LocalCalendars
    from shared.services.local_calendars import LocalCalendarService
    from shared.services.local_events import LocalEventService
    from shared.services.overlap_settling import OverlapSettling
    from shared.services.overlaps import OverlapService
    from shared.services.people.bulk_add import BulkAddService
    from shared.services.people.erasing import Eraser
    from shared.services.people.erasure_requests import UserErasureService
    from shared.services.people.exporting import UserExportService
    from shared.services.people.legal_holds import LegalHoldService
    from shared.services.people.offboarding import OffboardingService
    from shared.services.people.users import UserService
    from shared.services.person_keys import PersonKeys
    from shared.services.rate_limit import RateLimit
    from shared.services.run_progress import RunProgress
    from shared.services.system_health import SystemHealthService
    from shared.services.system_settings import SystemSettings
    from shared.services.tenants import FurtherTenants, TenantService
    from shared.services.tokens import TokenValidator
    from shared.services.verifying.restoring import CopyRestoring
    from shared.services.verifying.scheduling import VerificationSchedule
    from shared.services.verifying.service import VerificationService
    from shared.settings import Settings
    from shared.storage import Storage


class Application:
    """The services of one worker, on one event loop."""

    def __init__(
        self,
        settings: "Settings | None" = None,
        *,
        clock: Clock | None = None,
        database: "Database | None" = None,
        calendars: "CalendarAdapter | None" = None,
        tokens: "TokenValidator | None" = None,
    ) -> None:
        if settings is None:
            from shared.settings import Settings

            settings = Settings()
        self.settings: Settings = settings
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

        return CalendarAdapter(self.graph, self.throttle)

    @cached_property
    def throttle(self) -> "Throttle":
        """What Graph allows each mailbox, whoever asks."""
        from shared.graph.throttle import Throttle
        from shared.services.mailbox_pauses import MailboxPauses

        return Throttle(MailboxPauses(self.database), self.clock)

    @cached_property
    def on_behalf(self) -> "OnBehalfTokens":
        """Tokens for Graph on behalf of signed-in persons."""
        from shared.graph.on_behalf import OnBehalfTokens

        tokens = OnBehalfTokens(self.settings)
        self._closers.append(tokens.close)
        return tokens

    def calendars_for(self, person: "SignedIn") -> "CalendarAdapter":
        """Calendars at Graph with this person's own permission; for his request, never to be kept."""
        from shared.graph.calendar_adapter import CalendarAdapter

        return CalendarAdapter(self.graph_for(person), self.throttle)

    def graph_for(self, person: "SignedIn") -> "GraphClient":
        """The connection to Graph with this person's own permission; for his request, never to be kept."""
        return self.graph.acting_as(self.on_behalf.of(person))

    @cached_property
    def calendar_stores(self) -> "CalendarStores":
        """Calendars at Graph and those kept in our database, behind one protocol."""
        from shared.services.calendar_store import CalendarStores

        return CalendarStores(self.calendars, self.local_calendars)

    @cached_property
    def local_calendars(self) -> "LocalCalendars":
        """Calendars kept in our database, as archiving sees them."""
        from shared.services.local_calendar_store import LocalCalendars

        return LocalCalendars(self.database, self.clock, self.audit_writer)

    @cached_property
    def calendar_service(self) -> "CalendarService":
        """Calendars of persons, in both stores."""
        from shared.services.calendars import CalendarService

        return CalendarService(self.database, self.local_calendars, self.audit_writer)

    @cached_property
    def local_calendar_service(self) -> "LocalCalendarService":
        """Calendars kept in our database."""
        from shared.services.local_calendars import LocalCalendarService

        return LocalCalendarService(self.database, self.clock, self.audit_writer)

    @cached_property
    def local_events(self) -> "LocalEventService":
        """Events of calendars kept in our database."""
        from shared.services.local_events import LocalEventService

        return LocalEventService(self.database, self.clock, self.settings, self.audit_writer)

    @cached_property
    def tokens(self) -> "TokenValidator":
        """Who presents an access token."""
        from shared.services.signing_keys import KeyCache
        from shared.services.tokens import TokenValidator

        keys = KeyCache(self.settings.authority, self.clock)
        validator = TokenValidator(self.settings, keys, self.further_tenants)
        self._closers.append(validator.close)
        return validator

    @cached_property
    def further_tenants(self) -> "FurtherTenants":
        """Who is let in beside the home tenant."""
        from shared.services.tenants import FurtherTenants

        return FurtherTenants(self.database, self.clock, self.settings)

    @cached_property
    def tenants(self) -> "TenantService":
        """The list of further tenants."""
        from shared.services.tenants import TenantService

        return TenantService(
            self.database, self.clock, self.settings, self.further_tenants, self.audit_writer
        )

    @cached_property
    def system_settings(self) -> "SystemSettings":
        """Settings that each tenant makes for itself."""
        from shared.services.system_settings import SystemSettings

        return SystemSettings(self.database, self.clock, self.settings, self.audit_writer)

    @cached_property
    def storage(self) -> "Storage | None":
        """Files; None where no storage is set."""
        from shared.storage import open_storage

        storage = open_storage(self.settings)
        if storage is not None:
            self._closers.append(storage.close)
        return storage

    @cached_property
    def bulk_add(self) -> "BulkAddService":
        """Many users at once."""
        from shared.graph.directory import Directory
        from shared.graph.throttle import Throttle
        from shared.services.people.bulk_add import BulkAddService

        directory = Directory(self.graph, Throttle(clock=self.clock))
        return BulkAddService(self.database, directory, self.clock, self.audit_writer)

    @cached_property
    def offboarding(self) -> "OffboardingService":
        """People who leave."""
        from shared.services.people.offboarding import OffboardingService

        return OffboardingService(self.database, self.clock, self.audit_writer)

    @cached_property
    def legal_holds(self) -> "LegalHoldService":
        """People of whom nothing may be erased."""
        from shared.services.people.legal_holds import LegalHoldService

        return LegalHoldService(self.database, self.clock, self.audit_writer)

    @cached_property
    def user_exports(self) -> "UserExportService":
        """Everything we hold on a person, as a file."""
        from shared.services.people.exporting import UserExportService

        return UserExportService(
            self.database, self.clock, self.audit_writer, self.settings, self.storage, self.person_keys
        )

    @cached_property
    def user_erasures(self) -> "UserErasureService":
        """Erasures, asked for and confirmed."""
        from shared.services.people.erasure_requests import UserErasureService

        return UserErasureService(self.database, self.clock, self.audit_writer, self.storage)

    @cached_property
    def eraser(self) -> "Eraser":
        """Erasures, carried out."""
        from shared.graph.copy_removal import CopyRemoval
        from shared.services.people.erasing import Eraser, ErasingPorts

        copies = CopyRemoval(self.graph, self.throttle)
        return Eraser(
            ErasingPorts(
                database=self.database,
                clock=self.clock,
                audit=self.audit_writer,
                copies=copies,
                storage=self.storage,
                keys=self.person_keys,
                forget=self._forget,
            )
        )

    def _forget(self, person: "Person") -> None:
        """Drop what this worker keeps in memory of a person."""
        from shared.graph.on_behalf import SignedIn

        self.rate_limit.forget(person.tenant_id, person.actor)
        if "on_behalf" in self.__dict__:
            self.on_behalf.forget(SignedIn(person.tenant_id, person.object_id, ""))

    @cached_property
    def first_sign_in(self) -> "FirstSignInService":
        """Who becomes a user by signing in."""
        from shared.services.first_sign_in import FirstSignInService

        return FirstSignInService(self.database, self.clock, self.system_settings, self.audit_writer)

    @cached_property
    def invitations(self) -> "InvitationService":
        """Who is invited to sign in."""
        from shared.services.invitations import InvitationService

        return InvitationService(self.database, self.clock, self.audit_writer)

    @cached_property
    def users(self) -> "UserService":
        """Users."""
        from shared.services.people.users import UserService

        return UserService(self.database, self.calendars, self.clock, self.audit_writer)

    @cached_property
    def archive_configurations(self) -> "ArchiveConfigurationService":
        """Archive configurations."""
        from shared.services.archive_configurations import ArchiveConfigurationService

        return ArchiveConfigurationService(
            self.database, self.calendar_stores, self.clock, self.system_settings
        )

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
    def overlaps(self) -> "OverlapService":
        """Groups of overlapping events."""
        from shared.services.overlaps import OverlapService

        return OverlapService(self.database)

    @cached_property
    def categories(self) -> "CategoryServices":
        """Categories: both stores, reports, suggestions, rules."""
        from shared.graph.master_categories import MasterCategories
        from shared.services.categories.services import CategoryServices

        outlook = MasterCategories(self.graph, self.throttle)
        ports = self.database, self.calendar_stores, outlook
        return CategoryServices.create(*ports, self.clock, self.settings, self.audit_writer)

    @cached_property
    def archiving(self) -> "ArchivingService":
        """Archive runs."""
        from shared.services.archiving.service import ArchivingService

        return ArchivingService(self.archiving_ports)

    @cached_property
    def owner_edits(self) -> "OwnerEdits":
        """Explicit edits of what is archived."""
        from shared.services.archiving.owner_edits import OwnerEdits

        return OwnerEdits(self.archiving_ports)

    @cached_property
    def archive_previews(self) -> "Previewer":
        """Dry runs."""
        from shared.services.archiving.previewing import Previewer

        return Previewer(self.archiving_ports)

    @cached_property
    def archiving_ports(self) -> "ArchivingPorts":
        """What archiving, backfills and verifications work with."""
        from shared.services.archiving.context import ArchivingPorts

        return ArchivingPorts(
            self.database, self.calendar_stores, self.clock, self.settings, person_keys=self.person_keys
        )

    @cached_property
    def backfills(self) -> "BackfillService":
        """What is archived month by month."""
        from shared.services.backfilling import BackfillService

        return BackfillService(self.archiving_ports)

    @cached_property
    def verifications(self) -> "VerificationService":
        """Comparing source, record and archive calendar."""
        from shared.services.verifying.service import VerificationService

        return VerificationService(self.archiving_ports)

    @cached_property
    def verification_schedule(self) -> "VerificationSchedule":
        """The weekly verification."""
        from shared.services.verifying.scheduling import VerificationSchedule

        return VerificationSchedule(self.archiving_ports, self.verifications)

    @cached_property
    def copy_restoring(self) -> "CopyRestoring":
        """Copies put back, and edits taken over, on their owner's word."""
        from shared.services.verifying.restoring import CopyRestoring

        return CopyRestoring(self.archiving_ports)

    @cached_property
    def run_progress(self) -> "RunProgress":
        """How far runs are."""
        from shared.services.run_progress import RunProgress

        return RunProgress(self.database)

    @cached_property
    def overlap_settling(self) -> "OverlapSettling":
        """Decisions about overlapping events."""
        from shared.services.overlap_settling import OverlapSettling

        return OverlapSettling(self.archiving_ports)

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

    @cached_property
    def system_health(self) -> "SystemHealthService":
        """How the whole system is."""
        from shared.services.system_health import SystemHealthService, answers

        stores: list[Callable[[], Awaitable[object]]] = []
        keys, storage = self.person_keys, self.storage
        if keys is not None:
            stores.append(keys.probe)
        if self.storage is not None:
            stores.append(self.storage.probe)
        if storage is not None:
            stores.append(lambda: answers(storage.read("health/probe", 0, 1)))
        service = SystemHealthService(
            self.database,
            self.clock,
            self.settings,
            tokens=self.tokens,
            directory=self.calendars,
            stores=stores,
        )
        self._closers.append(service.close)
        return service

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

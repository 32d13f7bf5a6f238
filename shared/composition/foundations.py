"""What everything else stands on: database, Graph, storage, keys, the audit."""

from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

from shared.clock import Clock, SystemClock

if TYPE_CHECKING:
    from shared.database.engine import Database
    from shared.domain.identity.caller import SignedIn
    from shared.graph.calendar_adapter import CalendarAdapter
    from shared.graph.client import GraphClient
    from shared.graph.master_categories import MasterCategories
    from shared.graph.on_behalf import OnBehalfTokens
    from shared.graph.throttle import Throttle
    from shared.services.archiving.context import ArchivingPorts
    from shared.services.audit.recording import AuditWriter
    from shared.services.calendars.local_calendar_store import LocalCalendars
    from shared.services.calendars.store import BothCalendars
    from shared.services.notifications.mail_senders import MailSenders
    from shared.services.operation.system_settings import SystemSettings
    from shared.services.person_keys.keys import PersonKeys
    from shared.settings import Settings
    from shared.storage import Storage


class Foundations:
    """The ground that every service stands on; built when first asked for, closed with the application."""

    def __init__(
        self,
        settings: "Settings | None" = None,
        *,
        clock: Clock | None = None,
        database: "Database | None" = None,
        calendars: "CalendarAdapter | None" = None,
    ) -> None:
        if settings is None:
            from shared.settings import Settings

            settings = Settings()
        self.settings: Settings = settings
        from shared.telemetry import configure_logging

        configure_logging(self.settings.log_level)
        self.clock = clock or SystemClock()
        #: What was opened says here how it is closed.
        self.closers: list[Callable[[], Awaitable[None]]] = []
        # A cached property that is in the instance's dictionary already is never built.
        given = {"database": database, "calendars": calendars}
        self.__dict__.update({name: part for name, part in given.items() if part is not None})

    @cached_property
    def database(self) -> "Database":
        """PostgreSQL."""
        from shared.database.engine import Database

        database = Database(self.settings)
        self.closers.append(database.close)
        return database

    @cached_property
    def graph(self) -> "GraphClient":
        """The connection to Microsoft Graph."""
        from shared.graph.client import GraphClient

        client = GraphClient.create(self.settings)
        self.closers.append(client.close)
        return client

    @cached_property
    def throttle(self) -> "Throttle":
        """What Graph allows each mailbox, for all callers."""
        from shared.graph.throttle import Throttle
        from shared.services.operation.mailbox_pauses import MailboxPauses

        return Throttle(MailboxPauses(self.database), self.clock)

    @cached_property
    def calendars(self) -> "CalendarAdapter":
        """Calendars at Graph; a mailbox's pause binds every process through the database."""
        from shared.graph.calendar_adapter import CalendarAdapter

        return CalendarAdapter(self.graph, self.throttle)

    @cached_property
    def on_behalf(self) -> "OnBehalfTokens":
        """Tokens for Graph on behalf of signed-in persons."""
        from shared.graph.on_behalf import OnBehalfTokens

        tokens = OnBehalfTokens(self.settings)
        self.closers.append(tokens.close)
        return tokens

    def calendars_for(self, person: "SignedIn") -> "CalendarAdapter":
        """Calendars at Graph with this person's own permission; only for their request, never kept."""
        from shared.graph.calendar_adapter import CalendarAdapter

        return CalendarAdapter(self.graph_for(person), self.throttle)

    def graph_for(self, person: "SignedIn") -> "GraphClient":
        """The connection to Graph with this person's own permission; only for their request, never kept."""
        return self.graph.acting_as(self.on_behalf.of(person))

    def outlook_categories(self, tenant_id: UUID, person: "SignedIn | None") -> "MasterCategories":
        """Outlook's categories in a tenant, with this person's own permission or the application's."""
        from shared.graph.master_categories import MasterCategories

        client = self.graph.in_tenant(tenant_id) if person is None else self.graph_for(person)
        return MasterCategories(client, self.throttle)

    @cached_property
    def local_calendars(self) -> "LocalCalendars":
        """Calendars kept in our database, as archiving sees them."""
        from shared.services.calendars.local_calendar_store import LocalCalendars

        return LocalCalendars(self.database, self.clock, self.audit_writer, self.system_settings)

    @cached_property
    def calendar_stores(self) -> "BothCalendars":
        """Calendars at Graph and those kept in our database, behind one protocol."""
        from shared.services.calendars.store import BothCalendars

        return BothCalendars(self.calendars, self.local_calendars)

    @cached_property
    def storage(self) -> "Storage | None":
        """Files; None where no storage is set."""
        from shared.storage import open_storage

        storage = open_storage(self.settings)
        if storage is not None:
            self.closers.append(storage.close)
        return storage

    @cached_property
    def person_keys(self) -> "PersonKeys | None":
        """The keys of persons; None where no store of keys is set."""
        from shared.services.person_keys.keys import PersonKeys
        from shared.services.person_keys.stores import open_key_store

        store = open_key_store(self.settings)
        if store is None:
            return None
        keys = PersonKeys(store, self.clock)
        self.closers.append(keys.close)
        return keys

    @cached_property
    def audit_writer(self) -> "AuditWriter":
        """The audit of changes that the services make."""
        from shared.services.audit.recording import AuditWriter

        return AuditWriter(self.clock, self.person_keys)

    @cached_property
    def system_settings(self) -> "SystemSettings":
        """Settings that each tenant makes for itself."""
        from shared.services.operation.system_settings import SystemSettings

        return SystemSettings(self.database, self.clock, self.settings, self.audit_writer)

    @cached_property
    def mail_senders(self) -> "MailSenders":
        """From which mailbox a tenant's mail is sent."""
        from shared.services.notifications.mail_senders import MailSenders

        return MailSenders(self.settings)

    @cached_property
    def archiving_ports(self) -> "ArchivingPorts":
        """What archiving, backfills, verifications and decisions work with."""
        from shared.services.archiving.context import ArchivingPorts

        return ArchivingPorts(
            self.database, self.calendar_stores, self.clock, self.settings, person_keys=self.person_keys
        )

    async def close(self) -> None:
        """Close what was built, last first; every part is closed even if another one fails to."""
        failures: list[Exception] = []
        while self.closers:
            try:
                await self.closers.pop()()
            except Exception as failure:
                failures.append(failure)
        if failures:
            raise ExceptionGroup("closing the application", failures)

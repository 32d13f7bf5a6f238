"""Requests to rebuild: create the calendar and queue the run that fills it (domain.md 1).

Every step may be repeated after a crash. The wish for a calendar is stored before it is created, so that the
created one is recognised. One transaction then names it in the configuration, gives up the copies of the
former one, and queues the run.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.models.configurations import ArchiveConfiguration
from shared.database.repositories.approvals.mailbox_approvals import MailboxApprovalRepository
from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.database.repositories.archiving.lost_copies import LostCopies, LostCopyRepository
from shared.database.repositories.calendars.local_calendars import LocalCalendarRepository
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.domain.calendars import calendar_reference
from shared.domain.calendars.calendar_port import Calendar
from shared.domain.calendars.calendar_reference import CalendarReference, folded_name
from shared.domain.calendars.local_calendar import local_row
from shared.domain.expected_version import ExpectedVersion
from shared.domain.identity.caller import Caller
from shared.domain.runs.archive_run import RunKind, RunMode
from shared.domain.runs.window import Window, local_day_start
from shared.errors import Conflict, NotFound, RunInProgress, StoreRefused
from shared.services.approvals.authorising import authorise
from shared.services.approvals.objections import refuse_unauthorised
from shared.services.archiving.context import ArchivingPorts
from shared.services.archiving.gone_calendars import is_gone
from shared.services.archiving.pairs import refuse_pair
from shared.services.archiving.queueing import StartedRun, queue_run
from shared.services.calendars.resolution import canonical_reference
from shared.services.calendars.store import BothCalendars
from shared.services.identity.access import Access
from shared.services.identity.ownership import writable_configuration
from shared.services.jobs.archive_locks import lock_archive

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class _Former:
    """The archive calendar as it is named, and the one that an earlier attempt wanted instead, if any."""

    mailbox_id: UUID
    calendar_id: str
    reference: CalendarReference
    name: str
    wanted: bool

    @classmethod
    def of(cls, configuration: ArchiveConfiguration) -> "_Former":
        """From a configuration. Raises Conflict for a primary calendar, which nobody can create."""
        reference = calendar_reference.parse(configuration.archive_reference)
        if reference.calendar is None:
            raise Conflict("a primary calendar cannot be created again", code="not_rebuildable")
        by_id = reference.calendar == configuration.archive_calendar_id
        known = configuration.archive_calendar_name or (None if by_id else reference.calendar)
        return cls(
            configuration.archive_mailbox_id,
            configuration.archive_calendar_id,
            reference,
            configuration.rebuilding_name or known or configuration.name,
            configuration.rebuilding_name is not None,
        )

    @property
    def mailbox(self) -> str:
        """In the form of the stores."""
        return str(self.mailbox_id)


class RebuildRequests:
    """Rebuilds archive calendars that are gone, at the request of their owner or an Admin."""

    def __init__(self, ports: ArchivingPorts, stores: BothCalendars) -> None:
        self._ports = ports
        self._stores = stores

    async def rebuild(self, caller: Caller, configuration_id: UUID, expected: ExpectedVersion) -> StartedRun:
        """Create the archive calendar again under its former name, and queue the run that creates its copies.

        A rebuild in progress is returned instead. If an earlier one ended before every copy was restored,
        another run is queued for the rest. Raises NotFound, PreconditionFailed, RunInProgress, and the errors
        of the calendar store. Raises ArchiveInUse if another configuration archives the same source into the
        calendar of that name.

        Raises Conflict with one of these causes:
        - ``archive_calendar_exists``: the calendar exists and nothing is missing in it.
        - ``calendar_name_taken`` or ``not_rebuildable``.
        - The configuration is inactive, its owner is deactivated, or it may not use a calendar.
        """
        async with self._ports.database.session() as session:
            configuration = await self._found(session, caller, configuration_id, expected)
            under_way = await self._under_way(session, configuration)
            if under_way is not None:
                return under_way
            former = _Former.of(configuration)
        if not await is_gone(self._ports, caller.tenant_id, former.mailbox, former.calendar_id):
            return await self._rest(caller, configuration_id, former)
        calendars = (
            await self._stores.in_tenant(caller.tenant_id)
            .of(former.reference.store)
            .list_calendars(former.mailbox)
        )
        if any(each.id == former.calendar_id for each in calendars):
            return await self._rest(caller, configuration_id, former)
        calendar = await self._same_name(caller, configuration_id, former, calendars)
        if calendar is None:
            await self._want(caller, configuration_id, former)
            calendar = await self._make(caller, configuration_id, former)
            calendars = [*calendars, calendar]
        return await self._move(caller, configuration_id, former, calendar, calendars)

    async def _found(
        self, session: AsyncSession, caller: Caller, configuration_id: UUID, expected: ExpectedVersion
    ) -> ArchiveConfiguration:
        access = await Access.of(session, caller)
        found = await writable_configuration(session, access, configuration_id)
        expected.check(found.version)
        if not found.active:
            raise Conflict("the archive configuration is not active")
        await authorise(session, caller, found)
        await refuse_unauthorised(session, caller.tenant_id, configuration_id)
        return found

    async def _under_way(
        self, session: AsyncSession, configuration: ArchiveConfiguration
    ) -> StartedRun | None:
        runs = ArchiveRunRepository(session)
        run = await runs.open_of_mode(configuration.owner_id, configuration.id, RunMode.REBUILD)
        return None if run is None else StartedRun(run, created=False)

    async def _rest(self, caller: Caller, configuration_id: UUID, former: _Former) -> StartedRun:
        """The calendar exists: queue what an earlier rebuild left, if anything."""
        async with self._ports.database.session() as session:
            configuration = await self._held(session, caller, configuration_id)
            under_way = await self._under_way(session, configuration)
            if under_way is not None:
                return under_way
            lost = await LostCopyRepository(session, configuration.owner_id, configuration_id).standing()
            if configuration.archive_calendar_id != former.calendar_id or not lost.amount:
                raise Conflict("the archive calendar exists", code="archive_calendar_exists")
            return await self._queue(session, caller, configuration, lost)

    async def _same_name(
        self, caller: Caller, configuration_id: UUID, former: _Former, calendars: list[Calendar]
    ) -> Calendar | None:
        """A calendar of the former name that may replace it. None if no calendar has that name.

        It is one that an earlier attempt created and that is still empty, or one that another configuration
        archives into. Raises Conflict for any other, because it belongs to the owner.
        """
        found = next((each for each in calendars if folded_name(each.name) == folded_name(former.name)), None)
        if found is None:
            return None
        if former.wanted and await self._ports.calendars.in_tenant(caller.tenant_id).is_empty(
            former.mailbox, found.id
        ):
            return found
        async with self._ports.database.session() as session:
            if await ArchiveConfigurationRepository(session).uses_calendar_as_archive(
                caller.tenant_id, former.mailbox_id, found.id, except_for=configuration_id
            ):
                return found
        raise Conflict(
            f"the mailbox has another calendar named “{former.name}”; rename it, then ask again",
            code="calendar_name_taken",
        )

    async def _want(self, caller: Caller, configuration_id: UUID, former: _Former) -> None:
        """Record that no calendar had the name and that one will be created."""
        async with self._ports.database.session() as session:
            configuration = await self._held(session, caller, configuration_id)
            await self._refuse_running(session, configuration)
            if former.wanted or configuration.archive_calendar_id != former.calendar_id:
                return
            configuration.rebuilding_name = former.name
            changes = {"before": {"archive_calendar_id": former.calendar_id}}
            await self._audit(session, configuration, "archive_rebuild_began", changes)

    async def _make(self, caller: Caller, configuration_id: UUID, former: _Former) -> Calendar:
        store = self._stores.in_tenant(caller.tenant_id).of(former.reference.store)
        try:
            return await store.create_calendar(former.mailbox, former.name)
        except (StoreRefused, Conflict):
            # Another request, or the owner, was faster.
            calendars = await store.list_calendars(former.mailbox)
            made = _Former(former.mailbox_id, former.calendar_id, former.reference, former.name, wanted=True)
            found = await self._same_name(caller, configuration_id, made, calendars)
            if found is None:
                raise
            return found

    async def _move(
        self,
        caller: Caller,
        configuration_id: UUID,
        former: _Former,
        calendar: Calendar,
        calendars: list[Calendar],
    ) -> StartedRun:
        """From now on the configuration archives into ``calendar``. All copies of the former one are lost."""
        async with self._ports.database.session() as session:
            configuration = await self._held(session, caller, configuration_id)
            if configuration.archive_calendar_id != former.calendar_id:
                under_way = await self._under_way(session, configuration)
                if under_way is not None:
                    return under_way
                raise Conflict(
                    "the archive calendar was created again in between", code="archive_calendar_exists"
                )
            await self._refuse_running(session, configuration)
            now = self._ports.clock.now()
            copies = LostCopyRepository(session, configuration.owner_id, configuration_id)
            moot = await copies.lose_all(now)
            lost = await copies.standing()
            # Last, because it blocks everyone in the tenant who saves a configuration.
            await self._hold_calendar(session, configuration, calendar)
            access = await Access.of(session, caller)
            await refuse_pair(session, access, configuration, archive_calendar_id=calendar.id)
            reference = canonical_reference(
                former.reference.store, former.reference.mailbox, calendar, calendars
            )
            configuration.archive_reference = str(reference)
            configuration.archive_calendar_id = calendar.id
            await MailboxApprovalRepository(session).follow_archive(configuration.id, calendar.id)
            configuration.archive_calendar_name = calendar.name
            configuration.archive_gone_since = configuration.archive_gone_since or now
            configuration.rebuilding_name = None
            configuration.touch(now)
            await session.flush()
            changes = {
                "before": {"archive_calendar_id": former.calendar_id},
                "after": {"archive_calendar_id": calendar.id},
                "copies_lost": lost.amount,
                "writes_moot": moot,
            }
            await self._audit(session, configuration, "archive_calendar_rebuilt", changes)
            return await self._queue(session, caller, configuration, lost)

    async def _queue(
        self, session: AsyncSession, caller: Caller, configuration: ArchiveConfiguration, lost: LostCopies
    ) -> StartedRun:
        zone = ZoneInfo(configuration.time_zone)
        start = lost.first or local_day_start(configuration.archive_from, zone)
        window = Window(start, (lost.last or start) + _INSTANT, zone)
        return await queue_run(
            self._ports, session, configuration, window, RunKind.MANUAL, caller.actor, mode=RunMode.REBUILD
        )

    async def _held(
        self, session: AsyncSession, caller: Caller, configuration_id: UUID
    ) -> ArchiveConfiguration:
        """The configuration, locked. Raises NotFound."""
        found = await ArchiveConfigurationRepository(session).get(caller.tenant_id, configuration_id)
        if found is not None:
            found = await lock_archive(session, found.owner_id, found.id, tenant_id=caller.tenant_id)
        if found is None:
            raise NotFound("there is no such archive configuration")
        return found

    async def _refuse_running(self, session: AsyncSession, configuration: ArchiveConfiguration) -> None:
        runs = ArchiveRunRepository(session)
        if not await runs.none_running(configuration.owner_id, configuration.id):
            raise RunInProgress("a run is in progress; wait for its end or cancel it", retry_after=5)

    async def _hold_calendar(
        self, session: AsyncSession, configuration: ArchiveConfiguration, calendar: Calendar
    ) -> None:
        """Ensure that no calendar has two roles (domain.md 1), and that a local one is not deleted."""
        place = configuration.tenant_id, configuration.archive_mailbox_id
        if await ArchiveConfigurationRepository(session).uses_calendar_as_source(*place, calendar.id):
            raise Conflict("another configuration reads the calendar of that name", code="is_source")
        row_id = local_row(calendar.id)
        if row_id is not None and not await LocalCalendarRepository(session).keep(*place, row_id):
            raise Conflict("the calendar was deleted again; ask again", retry_after=1)

    async def _audit(
        self, session: AsyncSession, configuration: ArchiveConfiguration, what: str, changes: dict[str, Any]
    ) -> None:
        await self._ports.audit.record(
            session,
            f"archive_configuration.{what}",
            "archive_configuration",
            configuration.id,
            changes,
            on_behalf_of=configuration.owner_id,
        )

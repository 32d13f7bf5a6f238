"""Archive configurations, checked against the mailboxes when saved (domain.md 1, 2.2, 2.14, 8.1)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from shared.clock import Clock
from shared.database.constraint_errors import AlreadyExists
from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.models.users import User
from shared.database.repositories.configurations.archive_configurations import (
    PAIR_TAKEN,
    ArchiveConfigurationRepository,
)
from shared.database.repositories.jobs.jobs import JobRepository
from shared.domain.approvals.mailbox_approval import names_another
from shared.domain.calendars.calendar_reference import CalendarReference
from shared.domain.identity.caller import Caller
from shared.domain.planning.policies import default_overlap_policy
from shared.domain.planning.purpose import Purpose
from shared.domain.times import schedule as schedules
from shared.domain.times.schedule import Schedule
from shared.domain.times.zones import find_zone
from shared.errors import ArchiveInUse, Conflict, FieldError, ValidationFailed
from shared.schemas.archive_configurations import ArchiveConfigurationCreate
from shared.schemas.paging import Position, Slice
from shared.services.approvals.requesting import ask_for_new
from shared.services.archiving.pairs import refuse_pair
from shared.services.audit.recording import AuditWriter
from shared.services.backfilling.ranges import fit_backfill
from shared.services.calendars.local_calendars import hold_local_calendars
from shared.services.calendars.persons import person_of
from shared.services.calendars.resolution import (
    CalendarResolver,
    NamedCalendar,
    ResolvedCalendar,
    read_reference,
)
from shared.services.calendars.store import BothCalendars
from shared.services.identity.access import Access, session_for
from shared.services.identity.ownership import readable_configuration
from shared.services.operation.person_limits import refuse_configuration
from shared.services.operation.system_settings import SystemSettings, TenantSettings


@dataclass(frozen=True, slots=True)
class ScheduledConfiguration:
    """A configuration and the job that runs it."""

    configuration: ArchiveConfiguration
    job: Job


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A request, checked as far as possible without asking a mailbox."""

    source: CalendarReference
    archive: CalendarReference
    zone: ZoneInfo
    archive_from: date
    lookback_days: int
    schedule: Schedule


class ArchiveConfigurationService:
    """Adding and reading archive configurations."""

    def __init__(
        self, database: Database, calendars: BothCalendars, clock: Clock, settings: SystemSettings
    ) -> None:
        self._database = database
        self._calendars = calendars
        self._clock = clock
        self._settings = settings
        self._audit = AuditWriter(clock)

    async def create(self, caller: Caller, wanted: ArchiveConfigurationCreate) -> ScheduledConfiguration:
        """Add a configuration and its job, for the caller or, by an Admin, for anyone in the tenant.

        Raises NotFound (no such user, or another person's mailbox), ValidationFailed naming each wrong field,
        and LimitReached. Raises ArchiveInUse if another configuration has the same source and archive. Raises
        Conflict (name taken, default taken, calendar in another role, user deactivated).
        """
        async with session_for(self._database, caller) as (_, access):
            owner = await access.writable_user(wanted.user_id)
            if not owner.active:
                raise Conflict("this user is deactivated", code="user_deactivated")
        # Read again, because the configuration keeps what is taken from these settings now.
        defaults = await self._settings.of(caller.tenant_id, fresh=True)
        plan = read_plan(wanted, self._clock.now(), defaults)
        source, archive = await self._resolve(caller, owner, plan, wanted, defaults)
        persons = [await self._person(caller, owner, each) for each in (source, archive)]
        return await self._store(caller, owner, wanted, plan, source, archive, defaults, persons)

    async def get(self, caller: Caller, configuration_id: UUID) -> ScheduledConfiguration:
        """A configuration visible to the caller. Raises NotFound."""
        async with session_for(self._database, caller) as (session, access):
            configuration = await readable_configuration(session, access, configuration_id)
            jobs = await JobRepository(session).of_configurations(caller.tenant_id, [configuration_id])
            return ScheduledConfiguration(configuration, jobs[configuration_id])

    async def list(
        self, caller: Caller, user_id: UUID | None, after: Position | None, limit: int
    ) -> Slice[ScheduledConfiguration]:
        """Configurations in the order they were added: all that the caller may see, or those of one user.

        Raises NotFound for a user that is not visible to the caller.
        """
        async with session_for(self._database, caller) as (session, access):
            owner_id = access.readable_owner
            if user_id is not None:
                owner_id = (await access.readable_user(user_id)).id
            rows = await ArchiveConfigurationRepository(session).list(
                caller.tenant_id, after, limit + 1, owner_id=owner_id
            )
            jobs = await JobRepository(session).of_configurations(caller.tenant_id, [row.id for row in rows])
        found = Slice.cut(rows, limit, lambda row: Position(row.created_at, row.id))
        return Slice([ScheduledConfiguration(row, jobs[row.id]) for row in found.rows], found.next)

    async def _resolve(
        self,
        caller: Caller,
        owner: User,
        plan: CheckedRequest,
        wanted: ArchiveConfigurationCreate,
        in_force: TenantSettings,
    ) -> tuple[ResolvedCalendar, ResolvedCalendar]:
        """The two calendars. The archive calendar is created last, when everything else is valid."""
        resolver = CalendarResolver(
            self._calendars.in_tenant(caller.tenant_id), owner, any_mailbox=caller.is_admin
        )
        source = await resolver.find("source", plan.source)
        archive = await resolver.find("archive", plan.archive, may_create=wanted.create_archive_calendar)
        _check_pair(source, archive)
        if archive.chosen is None:
            await self._check_room(caller, owner, wanted.name, in_force)
            archive = await resolver.create(archive)
        return source.resolved, archive.resolved

    async def _person(self, caller: Caller, owner: User, calendar: ResolvedCalendar) -> UUID:
        """The person of a calendar (domain.md 6.5).

        A shared mailbox is its recipient's own if an Admin who is another person gave it.
        """
        store = self._calendars.in_tenant(caller.tenant_id).of(
            read_reference("calendar", calendar.reference).store
        )
        names = (owner.address,) if calendar.mailbox_id == owner.object_id else ()
        person = await person_of(store, calendar.mailbox_id, calendar.calendar, *names)
        if person == owner.object_id or person != calendar.mailbox_id:
            return person
        given = caller.is_admin and not caller.app_only and not caller.is_person(owner.object_id)
        if given and await store.get_mailbox_purpose(str(person)) == "shared":
            return owner.object_id
        return person

    async def _check_room(self, caller: Caller, owner: User, name: str, in_force: TenantSettings) -> None:
        """Create no calendar for a configuration that would be refused."""
        async with self._database.session() as session:
            configurations = ArchiveConfigurationRepository(session)
            if await configurations.has_name(caller.tenant_id, owner.id, name):
                raise _name_taken()
            await refuse_configuration(session, owner.id, in_force)

    async def _store(
        self,
        caller: Caller,
        owner: User,
        wanted: ArchiveConfigurationCreate,
        plan: CheckedRequest,
        source: ResolvedCalendar,
        archive: ResolvedCalendar,
        in_force: TenantSettings,
        persons: Sequence[UUID],
    ) -> ScheduledConfiguration:
        now = self._clock.now()
        another = names_another(owner.object_id, persons)
        # Kept for the previous version during a rollout. Approvals replaced it (6.5).
        foreign = {source.mailbox_id, archive.mailbox_id} - {owner.object_id} if caller.is_admin else set()
        configuration = ArchiveConfiguration(
            id=uuid4(),
            tenant_id=caller.tenant_id,
            owner_id=owner.id,
            name=wanted.name,
            source_reference=source.reference,
            source_mailbox_id=source.mailbox_id,
            source_calendar_id=source.calendar_id,
            archive_reference=archive.reference,
            archive_mailbox_id=archive.mailbox_id,
            archive_calendar_id=archive.calendar_id,
            archive_calendar_name=archive.name,
            source_person_id=persons[0],
            archive_person_id=persons[1],
            persons_known_at=now,
            names_another=another,
            open_until=now if another else None,
            approved_mailbox_ids=sorted(foreign),
            mailboxes_approved_by=caller.actor if foreign else None,
            time_zone=plan.zone.key,
            purpose=wanted.purpose,
            overlap_policy=wanted.overlap_policy or default_overlap_policy(Purpose(wanted.purpose)),
            all_day_counts=wanted.all_day_counts,
            privacy_automation=wanted.privacy_automation,
            out_of_office=wanted.out_of_office,
            is_default=wanted.is_default,
            active=True,
            archive_from=plan.archive_from,
            archived_until=None,
            lookback_days=plan.lookback_days,
            version=1,
            created_at=now,
            updated_at=now,
        )
        job = Job(
            id=uuid4(),
            tenant_id=caller.tenant_id,
            owner_id=owner.id,
            configuration_id=configuration.id,
            schedule=plan.schedule.to_json(),
            time_zone=plan.zone.key,
            next_run_at=schedules.next_run(plan.schedule, plan.zone, now),
            paused=False,
            consecutive_failures=0,
            created_at=now,
        )
        async with self._database.session() as session:
            configurations = ArchiveConfigurationRepository(session)
            access = await Access.of(session, caller)
            await self._check_roles(configurations, configuration)
            if await configurations.has_name(caller.tenant_id, owner.id, wanted.name):
                raise _name_taken()
            await refuse_pair(session, access, configuration)
            await refuse_configuration(session, owner.id, in_force)
            await hold_local_calendars(session, configuration)
            await _add(configurations, configuration)
            await JobRepository(session).add(job)
            await fit_backfill(session, configuration, job, caller.actor, now)
            # References contain the address, so they stay out of the audit (domain.md 7.1). The ids say the
            # same.
            await self._audit.record(
                session,
                "archive_configuration.created",
                "archive_configuration",
                configuration.id,
                {"after": audited(configuration, job)},
                on_behalf_of=owner.id,
            )
            await ask_for_new(session, self._audit, now, caller, configuration, owner)
        return ScheduledConfiguration(configuration, job)

    async def _check_roles(
        self, configurations: ArchiveConfigurationRepository, new: ArchiveConfiguration
    ) -> None:
        """No calendar may be the archive of one configuration and a source of another (domain.md 1)."""
        source = new.tenant_id, new.source_mailbox_id, new.source_calendar_id
        archive = new.tenant_id, new.archive_mailbox_id, new.archive_calendar_id
        if await configurations.uses_calendar_as_archive(*source):
            raise ValidationFailed(
                [FieldError("source", "is the archive calendar of another configuration", "is_archive")]
            )
        if await configurations.uses_calendar_as_source(*archive):
            raise ValidationFailed(
                [FieldError("archive", "is the source calendar of another configuration", "is_source")]
            )


def _name_taken() -> Conflict:
    return Conflict("an archive configuration with this name exists already", code="already_exists")


async def _add(configurations: ArchiveConfigurationRepository, configuration: ArchiveConfiguration) -> None:
    try:
        await configurations.add(configuration)
    except AlreadyExists as taken:
        if taken.constraint != PAIR_TAKEN:
            raise
        # Made by an instance of the previous version, which does not check first.
        message = "another archive configuration archives the same source into this calendar"
        raise ArchiveInUse(message) from taken


def read_plan(wanted: ArchiveConfigurationCreate, now: datetime, defaults: TenantSettings) -> CheckedRequest:
    """Check everything that needs no mailbox, so that the caller gets all errors at once.

    Raises ValidationFailed naming each wrong field.
    """
    errors: list[FieldError] = []
    source = _collect(errors, lambda: read_reference("source", wanted.source))
    archive = _collect(errors, lambda: read_reference("archive", wanted.archive))
    schedule = _collect(errors, lambda: _schedule(wanted, defaults))
    zone = find_zone(wanted.time_zone or defaults.default_time_zone)
    if zone is None:
        errors.append(
            FieldError("time_zone", "is neither an IANA nor a Windows time zone", "time_zone_unknown")
        )
    today = now.astimezone(zone or UTC).date()
    if wanted.archive_from is not None and wanted.archive_from > today:
        errors.append(FieldError("archive_from", "must not lie in the future", "in_future"))
    if errors or source is None or archive is None or zone is None or schedule is None:
        raise ValidationFailed(errors)
    lookback = wanted.lookback_days
    return CheckedRequest(
        source=source,
        archive=archive,
        zone=zone,
        archive_from=wanted.archive_from or first_of_previous_month(today),
        lookback_days=defaults.default_lookback_days if lookback is None else lookback,
        schedule=schedule,
    )


def _collect[Value](errors: list[FieldError], read: Callable[[], Value]) -> Value | None:
    try:
        return read()
    except ValidationFailed as failure:
        errors.extend(failure.errors)
        return None


def _schedule(wanted: ArchiveConfigurationCreate, defaults: TenantSettings) -> Schedule:
    if wanted.schedule is None:
        return Schedule.daily(defaults.nightly_at)
    return schedules.parse(wanted.schedule.model_dump())


def _check_pair(source: NamedCalendar, archive: NamedCalendar) -> None:
    """Check that source and archive differ, and that the archive is writable."""
    if archive.chosen is None:
        return
    if source.chosen is not None and (source.mailbox_id, source.chosen.id) == (
        archive.mailbox_id,
        archive.chosen.id,
    ):
        raise ValidationFailed([FieldError("archive", "must differ from the source", "same_as_source")])
    if not archive.chosen.can_edit:
        raise ValidationFailed([FieldError("archive", "is a calendar that cannot be written", "read_only")])


def first_of_previous_month(today: date) -> date:
    """The default beginning of archiving (domain.md 2.14)."""
    return (today.replace(day=1) - timedelta(days=1)).replace(day=1)


def audited_policies(configuration: ArchiveConfiguration) -> dict[str, object]:
    """The policies of a configuration for overlaps and privacy (domain.md 5.3, 6)."""
    return {
        "overlap_policy": str(configuration.overlap_policy),
        "all_day_counts": configuration.all_day_counts,
        "privacy_automation": configuration.privacy_automation,
        "out_of_office": configuration.out_of_office,
    }


def audited(configuration: ArchiveConfiguration, job: Job) -> dict[str, object]:
    """The fields of a configuration in the audit. None of them is personal."""
    return {
        "source_mailbox_id": str(configuration.source_mailbox_id),
        "source_calendar_id": configuration.source_calendar_id,
        "archive_mailbox_id": str(configuration.archive_mailbox_id),
        "archive_calendar_id": configuration.archive_calendar_id,
        "approved_mailbox_ids": [str(each) for each in configuration.approved_mailbox_ids],
        "time_zone": configuration.time_zone,
        "purpose": str(configuration.purpose),
        **audited_policies(configuration),
        "is_default": configuration.is_default,
        "archive_from": configuration.archive_from.isoformat(),
        "lookback_days": configuration.lookback_days,
        "schedule": job.schedule,
    }

"""Changes archive configurations: settings, activity, default, deletion (domain.md 1, 2, 8)."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration, Job
from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.jobs.jobs import JobRepository
from shared.domain.expected_version import ExpectedVersion
from shared.domain.identity.caller import Caller
from shared.domain.times import schedule as schedules
from shared.domain.times.zones import find_zone
from shared.errors import Conflict, FieldError, NotFound, RunInProgress, ValidationFailed
from shared.schemas.archive_configurations import ArchiveConfigurationUpdate
from shared.services.approvals.effects import end_approvals
from shared.services.archiving.pairs import refuse_paused_pair, release_next
from shared.services.audit.recording import AuditWriter
from shared.services.backfilling.ranges import fit_backfill
from shared.services.configurations.saving import ScheduledConfiguration, audited_policies
from shared.services.identity.access import Access
from shared.services.identity.ownership import writable_configuration
from shared.services.jobs.archive_locks import lock_archive

_PLAIN_FIELDS = (
    *("name", "lookback_days", "archive_from"),
    *("overlap_policy", "all_day_counts", "privacy_automation", "out_of_office"),
)


class ConfigurationChanges:
    """Each change locks the configuration, compares its version, and writes one audit row."""

    def __init__(self, database: Database, clock: Clock, audit: AuditWriter) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit

    async def update(
        self,
        caller: Caller,
        configuration_id: UUID,
        wanted: ArchiveConfigurationUpdate,
        expected: ExpectedVersion,
    ) -> ScheduledConfiguration:
        """Change the given fields. The next run uses the new schedule, zone and policies.

        What is archived already stays unchanged (domain.md 2.5). Raises NotFound, PreconditionFailed,
        Conflict (name taken), and ValidationFailed naming each wrong field.
        """
        async with self._database.session() as session:
            found = await self._locked(session, caller, configuration_id, expected)
            configuration, job = found.configuration, found.job
            zone = self._checked(configuration, wanted)
            before = _changeable(configuration, job)
            given = wanted.given()
            for field in _PLAIN_FIELDS:
                if field in given:
                    setattr(configuration, field, given[field])
            configuration.time_zone = job.time_zone = zone.key
            if "schedule" in given:
                job.schedule = dict(schedules.parse(wanted.schedule.model_dump()).to_json())
            if configuration.archive_from.isoformat() != before["archive_from"]:
                await fit_backfill(session, configuration, job, caller.actor, self._clock.now())
            if (job.schedule, job.time_zone) != (before["schedule"], before["time_zone"]):
                job.next_run_at = schedules.next_run(schedules.parse(job.schedule), zone, self._clock.now())
            await self._changed(session, found, "updated", before, _changeable(configuration, job))
        return found

    async def set_active(
        self, caller: Caller, configuration_id: UUID, *, active: bool, expected: ExpectedVersion
    ) -> ScheduledConfiguration:
        """Activate or deactivate it. Runs in progress continue.

        Raises NotFound, PreconditionFailed, Conflict, and ArchiveInUse for the newer of two configurations
        with one source and one archive.
        """
        async with self._database.session() as session:
            found = await self._locked(session, caller, configuration_id, expected)
            configuration = found.configuration
            if active and not await self._owner_active(session, caller, configuration):
                raise Conflict("this user is deactivated", code="user_deactivated")
            if active:
                access = await Access.of(session, caller)
                await refuse_paused_pair(session, access, configuration, self._audit)
            before = {"active": configuration.active}
            configuration.active = active
            what = "activated" if active else "deactivated"
            await self._changed(session, found, what, before, {"active": active})
        return found

    async def make_default(
        self, caller: Caller, configuration_id: UUID, expected: ExpectedVersion
    ) -> ScheduledConfiguration:
        """Make it its owner's default instead of the previous one. Raises NotFound and PreconditionFailed."""
        async with self._database.session() as session:
            configurations = ArchiveConfigurationRepository(session)
            found = await self._found(session, caller, configuration_id)
            owner_id = found.configuration.owner_id
            await configurations.take_turn(owner_id)
            former = await configurations.get_default(caller.tenant_id, owner_id)
            found = await self._locked(session, caller, configuration_id, expected)
            if former is not None and former.id != configuration_id:
                await configurations.resign_default(owner_id, former.id, self._clock.now())
            before = {"is_default": found.configuration.is_default}
            found.configuration.is_default = True
            after = {"is_default": True}
            if former is not None:
                before["former_default"] = after["former_default"] = str(former.id)  # type: ignore[assignment]
            await self._changed(session, found, "made_default", before, after)
        return found

    async def delete(self, caller: Caller, configuration_id: UUID, expected: ExpectedVersion) -> None:
        """Delete it and end its schedule. Its archive and its runs stay (domain.md 2.4, 7.2).

        Raises NotFound, PreconditionFailed, and RunInProgress while a run is queued or running.
        """
        async with self._database.session() as session:
            found = await self._locked(session, caller, configuration_id, expected)
            configuration, job = found.configuration, found.job
            if await ArchiveRunRepository(session).any_open(configuration.owner_id, configuration_id):
                raise RunInProgress("a run is queued or running; wait for it or cancel it")
            before = _changeable(configuration, job) | {"active": configuration.active}
            if configuration.names_another:
                await end_approvals(session, self._audit, configuration, caller.actor, self._clock.now())
            configuration.deleted_at = self._clock.now()
            configuration.active = configuration.is_default = False
            job.paused, job.next_run_at = True, None
            await self._changed(session, found, "deleted", before, {})
            await release_next(session, configuration, self._audit)

    async def _found(
        self, session: AsyncSession, caller: Caller, configuration_id: UUID
    ) -> ScheduledConfiguration:
        access = await Access.of(session, caller)
        configuration = await writable_configuration(session, access, configuration_id)
        await lock_archive(session, configuration.owner_id, configuration_id)
        job = await JobRepository(session).get(configuration.owner_id, configuration_id)
        if job is None:
            raise NotFound("there is no such archive configuration")
        return ScheduledConfiguration(configuration, job)

    async def _locked(
        self, session: AsyncSession, caller: Caller, configuration_id: UUID, expected: ExpectedVersion
    ) -> ScheduledConfiguration:
        found = await self._found(session, caller, configuration_id)
        # The jobs are locked already. In between, make_default takes the owner's turn, which also locks rows.
        configuration = await ArchiveConfigurationRepository(session).lock(caller.tenant_id, configuration_id)
        if configuration is None:
            raise NotFound("there is no such archive configuration")
        expected.check(configuration.version)
        return ScheduledConfiguration(configuration, found.job)

    async def _owner_active(
        self, session: AsyncSession, caller: Caller, configuration: ArchiveConfiguration
    ) -> bool:
        access = await Access.of(session, caller)
        return (await access.writable_user(configuration.owner_id)).active

    def _checked(self, configuration: ArchiveConfiguration, wanted: ArchiveConfigurationUpdate) -> ZoneInfo:
        """The new zone. Raises ValidationFailed naming each field that breaks a rule."""
        given, errors = wanted.given(), list[FieldError]()
        zone = find_zone(given.get("time_zone", configuration.time_zone))
        if zone is None:
            message = "is neither an IANA nor a Windows time zone"
            errors.append(FieldError("time_zone", message, "time_zone_unknown"))
        if (first := given.get("archive_from")) is not None and first != configuration.archive_from:
            if configuration.archived_until is not None:
                message = "archiving has begun; start a backfill of the earlier days instead"
                errors.append(FieldError("archive_from", message, "archiving_begun"))
            elif first > self._clock.now().astimezone(zone or UTC).date():
                errors.append(FieldError("archive_from", "must not lie in the future", "in_future"))
        if "schedule" in given:
            try:
                schedules.parse(wanted.schedule.model_dump())
            except ValidationFailed as failure:
                errors.extend(failure.errors)
        if errors or zone is None:
            raise ValidationFailed(errors)
        return zone

    async def _changed(
        self,
        session: AsyncSession,
        found: ScheduledConfiguration,
        what: str,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
    ) -> None:
        """Count the version and audit. An update without changes does neither."""
        changed = [name for name in before if before[name] != after.get(name)]
        if not changed:
            return
        configuration = found.configuration
        configuration.touch(self._clock.now())
        await session.flush()
        changes: dict[str, Any] = {"before": {name: before[name] for name in changed}}
        if after:
            changes["after"] = {name: after[name] for name in changed}
        await self._audit.record(
            session,
            f"archive_configuration.{what}",
            "archive_configuration",
            configuration.id,
            changes,
            on_behalf_of=configuration.owner_id,
        )


def _changeable(configuration: ArchiveConfiguration, job: Job) -> dict[str, Any]:
    return {
        "name": configuration.name,
        "time_zone": configuration.time_zone,
        "archive_from": configuration.archive_from.isoformat(),
        "lookback_days": configuration.lookback_days,
        "schedule": job.schedule,
        **audited_policies(configuration),
    }

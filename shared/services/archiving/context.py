"""What every step of a run needs to know about it, read fresh from the database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import Clock
from shared.database.engine import Database
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.runs import ArchiveRun
from shared.database.repositories.archiving.archive_operations import ArchiveOperationRepository
from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.database.repositories.archiving.archived_events import ArchivedEventRepository
from shared.database.repositories.archiving.source_identity import SourceIdentityRepository
from shared.database.repositories.archiving.write_results import WriteResultRepository
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.overlaps.member_places import MemberPlaceRepository
from shared.database.repositories.overlaps.overlap_members import OverlapMemberRepository
from shared.domain.calendars.calendar_authorisation import Objection
from shared.domain.calendars.calendar_port import Calendars
from shared.domain.overlaps.rules import OverlapPolicy
from shared.domain.planning.policies import PlanPolicies
from shared.domain.planning.purpose import Purpose
from shared.domain.runs.archive_run import RunKind, RunMode, RunState
from shared.domain.runs.window import Window
from shared.errors import NotFound
from shared.services.audit.recording import AuditWriter
from shared.services.person_keys.keys import PersonKeys
from shared.settings import Settings
from shared.usage import track_usage


@dataclass(frozen=True, slots=True)
class ArchivingPorts:
    """The ports that archiving uses."""

    database: Database
    calendars: Calendars
    clock: Clock
    settings: Settings
    person_keys: PersonKeys | None = None

    @property
    def audit(self) -> AuditWriter:
        """Writes the audit."""
        return AuditWriter(self.clock, self.person_keys)

    @property
    def busy_pause(self) -> timedelta:
        """How long to wait when another holder has the mailbox's lease."""
        return timedelta(seconds=min(5.0, self.settings.mailbox_lease_seconds / 2))


@dataclass(frozen=True, slots=True)
class RunContext:
    """The facts of a run and of its configuration."""

    run_id: UUID
    tenant_id: UUID
    owner_id: UUID
    configuration_id: UUID
    correlation_id: str
    kind: RunKind
    mode: RunMode
    state: RunState
    cancel_requested: bool
    planned: bool
    #: The run may not reconcile its writes either.
    barred: bool
    window: Window
    created_at: datetime
    started_at: datetime | None
    source_mailbox: str
    source_calendar_id: str
    #: The object id of the person whose events are read.
    origin_id: UUID
    #: Only the times of this person's private events are read (domain.md 6.5).
    masked: bool
    archive_mailbox_id: UUID
    archive_calendar_id: str
    #: An earlier run did not find the archive calendar (domain.md 1).
    archive_gone: bool
    policies: PlanPolicies

    @property
    def archive_mailbox(self) -> str:
        """The archive mailbox, in the form that stores use."""
        return str(self.archive_mailbox_id)

    def operations(self, session: AsyncSession) -> ArchiveOperationRepository:
        """The operations of this run's configuration."""
        return ArchiveOperationRepository(session, self.owner_id, self.configuration_id)

    def write_results(self, session: AsyncSession) -> WriteResultRepository:
        """Stores the results of this configuration's operations."""
        return WriteResultRepository(session, self.owner_id, self.configuration_id)

    def archived_events(self, session: AsyncSession) -> ArchivedEventRepository:
        """The map of this run's configuration."""
        return ArchivedEventRepository(session, self.owner_id, self.configuration_id)

    def identities(self, session: AsyncSession) -> SourceIdentityRepository:
        """Finds the map rows of this configuration's events."""
        return SourceIdentityRepository(session, self.owner_id, self.configuration_id)

    def overlaps(self, session: AsyncSession) -> OverlapMemberRepository:
        """The overlapping events of this run's configuration."""
        return OverlapMemberRepository(session, self.owner_id, self.configuration_id)

    def overlap_places(self, session: AsyncSession) -> MemberPlaceRepository:
        """The places of events in groups of this run's configuration."""
        return MemberPlaceRepository(session, self.owner_id, self.configuration_id)


async def load_context(session: AsyncSession, run_id: UUID) -> RunContext:
    """Load the context of a run. Raises NotFound if the run or its configuration is gone."""
    run = await ArchiveRunRepository(session).get_unscoped(run_id)
    if run is None:
        raise NotFound("there is no such archive run")
    configuration = await ArchiveConfigurationRepository(session).get(run.tenant_id, run.configuration_id)
    if configuration is None:
        raise NotFound("there is no such archive configuration")
    return context_of(run, configuration)


def context_of(run: ArchiveRun, configuration: ArchiveConfiguration) -> RunContext:
    """The context, from its two rows."""
    return RunContext(
        run_id=run.id,
        tenant_id=run.tenant_id,
        owner_id=run.owner_id,
        configuration_id=run.configuration_id,
        correlation_id=run.correlation_id,
        kind=RunKind(run.kind),
        mode=RunMode(run.mode),
        state=RunState(run.state),
        cancel_requested=run.cancel_requested,
        planned=run.planned_at is not None,
        barred=(run.plan or {}).get("code") in tuple(Objection),
        window=Window(
            run.window_start.astimezone(UTC),
            run.window_end.astimezone(UTC),
            ZoneInfo(configuration.time_zone),
        ),
        created_at=run.created_at,
        started_at=run.started_at,
        source_mailbox=str(configuration.source_mailbox_id),
        source_calendar_id=configuration.source_calendar_id,
        origin_id=configuration.origin_id,
        masked=configuration.masks_private_events,
        archive_mailbox_id=configuration.archive_mailbox_id,
        archive_calendar_id=configuration.archive_calendar_id,
        archive_gone=configuration.archive_gone_since is not None,
        policies=PlanPolicies(
            purpose=Purpose(configuration.purpose),
            overlap_policy=OverlapPolicy(configuration.overlap_policy),
            all_day_counts=configuration.all_day_counts,
            privacy_automation=configuration.privacy_automation,
            out_of_office=configuration.out_of_office,
        ),
    )


@asynccontextmanager
async def accounted(ports: ArchivingPorts, context: RunContext) -> AsyncIterator[None]:
    """Add the requests made inside the block to the run's counters (domain.md 2.13)."""
    with track_usage() as usage:
        try:
            yield
        finally:
            async with ports.database.session() as session:
                await ArchiveRunRepository(session).add_usage(
                    context.owner_id, context.run_id, usage.requests, usage.round_trips
                )

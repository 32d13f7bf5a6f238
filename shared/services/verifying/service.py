"""The use cases of verification: request it, drive it, read its findings (domain.md 2.15)."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared import telemetry
from shared.database.models.configurations import ArchiveConfiguration
from shared.database.models.verifications import Verification, VerificationFinding
from shared.database.repositories.archiving.archive_runs import ArchiveRunRepository
from shared.database.repositories.configurations.archive_configurations import ArchiveConfigurationRepository
from shared.database.repositories.notifications.notifications import NotificationRepository
from shared.database.repositories.verifying.listed_findings import ListedFindingRepository
from shared.database.repositories.verifying.verification_findings import VerificationFindingRepository
from shared.database.repositories.verifying.verifications import VerificationRepository
from shared.domain.calendars.calendar_authorisation import Objection
from shared.domain.identity.caller import Caller
from shared.domain.jobs.job import JobKind
from shared.domain.notifications.notification import Recipient
from shared.domain.notifications.notification_texts import verification_over
from shared.domain.runs.window import Window, validate_window
from shared.domain.verifying.verification import Stretch, VerificationState, next_stretch
from shared.errors import Conflict, FieldError, NotFound, StoreRefused, StoreUnavailable, ValidationFailed
from shared.schemas.paging import Position, Slice
from shared.services.approvals.authorising import authorise, person_read_id
from shared.services.approvals.objections import objection_to
from shared.services.archiving.context import ArchivingPorts
from shared.services.archiving.gone_calendars import note_gone, seems_gone
from shared.services.archiving.masked_reading import masked
from shared.services.identity.access import Access, reads_own, session_for, viewing_as
from shared.services.identity.ownership import readable_configuration
from shared.services.jobs.archive_locks import lock_archive
from shared.services.jobs.outcomes import JobJudgement, WorkEnded, judge_job
from shared.services.operation.driving import LOOKED_AFTER_EVERY, PATIENCE
from shared.services.verifying.comparing import StretchComparison, Superseded
from shared.services.verifying.context import VerificationContext, load_context
from shared.services.verifying.queueing import (
    StartedVerification,
    default_windows,
    draft_verification,
    queue_drafts,
)
from shared.usage import track_usage

DRIVEN_PER_TICK = 200
# Waits between attempts at a calendar that does not answer (domain.md 8.3), doubled each time.
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class BegunVerification:
    """``patient``: it is recent enough to be driven again after the database was away."""

    mine: bool
    patient: bool = False


@dataclass(frozen=True, slots=True)
class CompareProgress:
    """How far one ``compare`` came. ``refused`` says why it cannot continue. ``gone``: permanently."""

    percent: int
    remaining: bool
    resume_at: datetime | None = None
    refused: str | None = None
    gone: bool = False


@dataclass(frozen=True, slots=True)
class FoundDifferences:
    """A page of findings, which of them the caller may see, and their appointments and subjects."""

    page: Slice[VerificationFinding]
    shown: set[UUID]
    subjects: dict[UUID, tuple[UUID, str]]


class VerificationService:
    """Verification, from the request to the findings."""

    def __init__(self, ports: ArchivingPorts) -> None:
        self._ports = ports

    async def request(
        self, caller: Caller, configuration_id: UUID, start: datetime | None, end: datetime | None
    ) -> StartedVerification:
        """Queue a verification of a window. The default is the last archived time, up to the longest window.

        An open verification of the same window is returned instead. Raises NotFound, ValidationFailed naming
        the window's fields, and Conflict if another window is being verified.
        """
        async with session_for(self._ports.database, caller) as (session, access):
            configurations = ArchiveConfigurationRepository(session)
            found = await configurations.get(caller.tenant_id, configuration_id, access.writable_owner)
            held = found and await configurations.lock(caller.tenant_id, configuration_id, shared=True)
            if held is None:
                raise NotFound("there is no such archive configuration")
            await authorise(session, caller, held)
            window = await self._window(session, held, start, end)
            if window is None:
                message = "nothing is archived there yet"
                raise ValidationFailed([FieldError("window", message, "range_empty")])
            draft = await draft_verification(self._ports, held, window, caller.actor)
            (started,) = await queue_drafts(self._ports, session, [draft])
            entered = started.verification
            if start is not None and (entered.window_start, entered.window_end) != (window.start, window.end):
                raise Conflict("another window is being verified", code="verification_in_progress")
            return started

    async def get(self, caller: Caller, verification_id: UUID) -> Verification:
        """One visible to the caller. Raises NotFound."""
        async with self._ports.database.session() as session:
            return await self._readable(session, caller, verification_id)

    async def reads_own(self, caller: Caller, verification: Verification) -> bool:
        """Whether the caller is the person whose events it compares. Raises as ``get`` does."""
        async with session_for(self._ports.database, caller) as (session, access):
            return await reads_own(session, access, verification.configuration_id)

    async def findings(
        self, caller: Caller, verification_id: UUID, kind: str | None, after: Position | None, limit: int
    ) -> FoundDifferences:
        """The findings of a verification in the order of the calendar, and which are shown (domain.md 6.3).

        Raises NotFound.
        """
        async with self._ports.database.session() as session:
            found = await self._readable(session, caller, verification_id)
            access = await Access.of(session, caller)
            viewer = await viewing_as(session, access, found.configuration_id)
            findings = ListedFindingRepository(session)
            rows = await findings.of_verification(verification_id, kind, after, limit + 1, viewer=viewer)
            shown = await findings.shown_to(viewer, [row.id for row in rows])
            subjects = await findings.subjects_of(shown)
        cut = Slice.cut(rows, limit, lambda row: Position(row.starts_at, row.id))
        return FoundDifferences(cut, shown, subjects)

    async def begin(self, verification_id: UUID) -> BegunVerification:
        """Start it, or continue it. Not ``mine`` if it is over or unknown."""
        async with self._ports.database.session() as session:
            now = self._ports.clock.now()
            began = await VerificationRepository(session).begin(verification_id, now)
        return BegunVerification(began is not None, patient=began is not None and now - began < PATIENCE)

    @asynccontextmanager
    async def acting_for(self, verification_id: UUID) -> AsyncIterator[None]:
        """Act with its correlation id, for the person who requested it. Raises NotFound."""
        async with self._ports.database.session() as session:
            found = _there(await VerificationRepository(session).get_unscoped(verification_id))
            configuration = await ArchiveConfigurationRepository(session).get(
                found.tenant_id, found.configuration_id
            )
            person = await person_read_id(session, configuration)
        caller = Caller(found.tenant_id, None, found.requested_by, frozenset(), app_only=True)
        acting = telemetry.ActingFor(person)
        with telemetry.bind(caller=caller, correlation=found.correlation_id, acting=acting):
            yield

    async def compare(self, verification_id: UUID, idle: int = 0) -> CompareProgress:
        """Compare range after range for a while. Safe to call twice or from two places.

        ``idle`` counts the previous attempts that compared nothing, and spaces the next one. Raises NotFound.
        """
        async with self._ports.database.session() as session:
            attempt = await VerificationRepository(session).begin_attempt(verification_id)
            if attempt is None:
                return CompareProgress(100, remaining=False)
            context = await load_context(session, verification_id)
            found = await objection_to(session, context.tenant_id, context.configuration_id)
            # Comparing writes nothing, so the newer of a pair may also find what exists twice (2.19).
            if found not in (None, Objection.ARCHIVE_IN_USE):
                return CompareProgress(0, False, refused=f"{found}: {found.reason}", gone=True)
        deadline = self._ports.clock.now() + timedelta(seconds=self._ports.settings.apply_time_budget_seconds)
        try:
            while await self._compare_one(verification_id, attempt):
                if self._ports.clock.now() >= deadline:
                    break
        except Superseded:
            return await self._progress(verification_id, self._ports.clock.now() + self._ports.busy_pause)
        except StoreUnavailable as away:
            wait = min(FIRST_WAIT * 2 ** min(idle, 10), LONGEST_WAIT)
            wait = max(wait, timedelta(seconds=away.retry_after or 0))
            return await self._progress(verification_id, self._ports.clock.now() + wait)
        except StoreRefused as refused:
            reason, gone = f"{refused.reason}: {refused.detail}", refused.gone
        except NotFound as missing:
            reason, gone = missing.detail, True
        else:
            return await self._progress(verification_id, None)
        archive = context.archive_mailbox, context.archive_calendar_id
        if gone and await seems_gone(self._ports, context.tenant_id, *archive):
            async with self._ports.database.session() as session:
                await note_gone(session, self._ports, context.owner_id, context.configuration_id, archive[1])
        return CompareProgress(0, False, refused=reason, gone=gone)

    async def finish(
        self, verification_id: UUID, reason: str | None, *, gone: bool = False
    ) -> VerificationState:
        """End it with its counts. Ending it twice changes nothing. ``reason`` says why it could not continue.

        Raises NotFound.
        """
        async with self._ports.database.session() as session:
            verifications = VerificationRepository(session)
            # Not its context, because a verification ends even if its configuration is deleted.
            found = _there(await verifications.get_unscoped(verification_id))
            await lock_archive(session, found.owner_id, found.configuration_id)
            # It may have been deleted with its owner.
            verification = _there(await verifications.get_unscoped(verification_id, lock=True))
            if VerificationState(verification.state).terminal:
                return VerificationState(verification.state)
            findings = VerificationFindingRepository(session)
            await findings.forget_items(verification_id)
            counts = await findings.counts(verification_id)
            if reason is None and await self._next(session, await load_context(session, verification_id)):
                reason = "not everything could be compared"
            state = VerificationState.FAILED if reason else VerificationState.COMPLETED
            now = self._ports.clock.now()
            await verifications.finish(verification_id, state, counts, reason, now)
            failed = reason is not None
            job = JobJudgement()
            if verification.job_id is not None:
                owner, configuration = verification.owner_id, verification.configuration_id
                ended = WorkEnded(owner, configuration, JobKind.VERIFY, verification_id, failed, gone)
                job = await judge_job(session, self._ports.audit, ended)
            await self._ports.audit.record(
                session,
                f"verification.{state}",
                "verification",
                verification_id,
                {"found": counts, "reason": reason},
                on_behalf_of=verification.owner_id,
                outcome="failure" if reason else "success",
            )
            await self._tell(session, verification, counts, job, failed=failed, now=now)
        return state

    async def to_drive(self) -> list[UUID]:
        """Verifications that need a living orchestration."""
        async with self._ports.database.session() as session:
            before = self._ports.clock.now() - LOOKED_AFTER_EVERY
            return await VerificationRepository(session).to_drive_unscoped(before, DRIVEN_PER_TICK)

    async def mark_dispatched(self, *verification_ids: UUID) -> None:
        """Record that their orchestrations were started, or are alive."""
        async with self._ports.database.session() as session:
            await VerificationRepository(session).set_dispatched(verification_ids, self._ports.clock.now())

    async def _compare_one(self, verification_id: UUID, attempt: int) -> bool:
        async with self._ports.database.session() as session:
            context = await load_context(session, verification_id)
            stretch = await self._next(session, context)
        if stretch is None:
            return False
        with track_usage() as usage:
            try:
                ports = masked(self._ports) if context.masked else self._ports
                await StretchComparison(ports, context, attempt, stretch).run()
            finally:
                async with self._ports.database.session() as session:
                    await VerificationRepository(session).add_usage(
                        verification_id, usage.requests, usage.round_trips
                    )
        return True

    async def _progress(self, verification_id: UUID, resume_at: datetime | None) -> CompareProgress:
        async with self._ports.database.session() as session:
            context = await load_context(session, verification_id)
            remaining = await self._next(session, context) is not None
            found = await VerificationRepository(session).get_unscoped(verification_id)
        return CompareProgress(found.progress if found else 100, remaining, resume_at if remaining else None)

    async def _next(self, session: AsyncSession, context: VerificationContext) -> Stretch | None:
        covered = await ArchiveRunRepository(session).covered(
            context.owner_id, context.configuration_id, context.compared_until, context.window_end
        )
        return next_stretch([Stretch(*each) for each in covered], context.compared_until, context.window_end)

    async def _window(
        self,
        session: AsyncSession,
        configuration: ArchiveConfiguration,
        start: datetime | None,
        end: datetime | None,
    ) -> Stretch | None:
        runs = ArchiveRunRepository(session)
        longest = self._ports.settings.max_window_days
        if start is not None and end is not None:
            validate_window(start, end, longest)
            covered = await runs.covered(configuration.owner_id, configuration.id, start, end)
            return Stretch(start, end) if covered else None
        return (await default_windows(self._ports, session, [configuration.id])).get(configuration.id)

    async def _tell(
        self,
        session: AsyncSession,
        verification: Verification,
        counts: Mapping[str, int],
        job: JobJudgement,
        *,
        failed: bool,
        now: datetime,
    ) -> None:
        """Notify about findings or a failure. A weekly one without findings is silent (2.15)."""
        told = list(job.told)
        weekly = verification.job_id is not None
        known = job.says_gone or job.said_gone
        if (failed and not known) or (not failed and (any(counts.values()) or not weekly)):
            configuration = await ArchiveConfigurationRepository(session).get(
                verification.tenant_id, verification.configuration_id
            )
            zone = ZoneInfo(configuration.time_zone if configuration is not None else "UTC")
            window = Window(verification.window_start, verification.window_end, zone)
            told.append(verification_over(verification.id, window, counts, failed=failed))
        recipient = Recipient(verification.tenant_id, verification.owner_id)
        await NotificationRepository(session).tell([(recipient, notice) for notice in told], now)

    async def _readable(self, session: AsyncSession, caller: Caller, verification_id: UUID) -> Verification:
        access = await Access.of(session, caller)
        found = await VerificationRepository(session).get(
            caller.tenant_id, verification_id, access.readable_owner
        )
        if found is None:
            raise NotFound("there is no such verification")
        await reads_own(session, access, found.configuration_id)
        return found

    async def list(
        self, caller: Caller, configuration_id: UUID, after: Position | None, limit: int
    ) -> Slice[Verification]:
        """Verifications of a configuration, newest first. Raises NotFound."""
        async with session_for(self._ports.database, caller) as (session, access):
            await readable_configuration(session, access, configuration_id)
            await reads_own(session, access, configuration_id)
            rows = await VerificationRepository(session).of_configuration(
                caller.tenant_id, configuration_id, after, limit + 1
            )
        return Slice.cut(rows, limit, lambda row: Position(row.created_at, row.id))


def _there(verification: Verification | None) -> Verification:
    if verification is None:
        raise NotFound("there is no such verification")
    return verification
